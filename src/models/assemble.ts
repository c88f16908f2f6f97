/**
 * A model out of opened checkpoints, wherever they lie: every part is checked by itself and against the others before
 * anything is loaded. `folder.ts` finds the parts on disk, `remote.ts` by their addresses.
 */
import type { Budget } from "../budget/budget.js";
import { ModelError } from "../errors.js";
import type { WeightsStore } from "../graph/externals.js";
import type { VaeConfig } from "./bsq-vae/config.js";
import { checkVae, inferVaeConfig } from "./bsq-vae/tensors.js";
import { publishedBySize, UNPUBLISHED_DEFAULTS, type ModelDefaults, type PublishedModel } from "./catalogue.js";
import type { InfinityConfig } from "./infinity/config.js";
import { checkInfinity, inferInfinityConfig, type InfinitySizes } from "./infinity/tensors.js";
import type { Tensors } from "./manifest.js";
import { pairWithVae } from "./pairing.js";
import type { Candidate } from "./shelf.js";
import type { T5Config } from "./t5/config.js";
import { parseT5Config } from "./t5/config-file.js";
import { checkT5 } from "./t5/tensors.js";

/** One part of a model, opened and checked. Nothing of it is read yet. */
export interface PartFiles<Config> {
  /** A file, or the index of its shards: path or address. */
  readonly path: string;
  /** By the names this project uses. */
  readonly tensors: Tensors;
  readonly config: Config;
}

/** A folder, on disk or on a server, with JSON files in it. */
export interface JsonFolder {
  /** Path or address. */
  readonly folder: string;
  /** The parsed content of a file by its plain name; a missing one, or one that is not JSON, is a named error. */
  readJson(name: string): Promise<unknown>;
}

/** The part that reads, and the folder where its configuration and its tokenizer lie. */
export interface TextEncoderFiles extends PartFiles<T5Config>, JsonFolder {}

/** The parts that draw, without the one that reads. */
export interface ImageModelFiles {
  /** The name, path or address the model was asked for by. */
  readonly name: string;
  readonly infinity: PartFiles<InfinityConfig>;
  readonly vae: PartFiles<VaeConfig>;
  /** What the model's authors draw with. */
  readonly defaults: ModelDefaults;
  /** How the transformer attends, as `scalekv calibrate` found it, where that lies beside it. */
  readonly calibration?: Budget | undefined;
  /** Where what is made of the weights can be kept from one run to the next; absent where there is no such place. */
  readonly store?: WeightsStore | undefined;
  /** Closes every file. The tensors cannot be read afterwards. */
  close(): Promise<void>;
}

/** A whole text-to-image model. */
export interface ModelFiles extends ImageModelFiles {
  readonly textEncoder: TextEncoderFiles;
}

/** A transformer whose tensors are all there. */
export interface CheckedTransformer extends Candidate {
  readonly sizes: InfinitySizes;
}

/** Reads a transformer's sizes off its tensors and checks all of them; anything amiss is a {@link ModelError}. */
export function checkTransformer(transformer: Candidate): CheckedTransformer {
  const { tensors, path } = transformer;
  const sizes = inferInfinityConfig(tensors, path);
  checkInfinity(tensors, sizes, path);
  return { ...transformer, sizes };
}

/**
 * Joins a transformer and its autoencoder; one that it was not made for is a {@link ModelError} with the right file's
 * name. `published` is the model they are known to be; without it their sizes tell.
 */
export function joinParts(
  transformer: CheckedTransformer,
  vae: Candidate,
  published: PublishedModel | undefined = publishedBySize(transformer.sizes, transformer.path)[0],
): Pick<ImageModelFiles, "infinity" | "vae" | "defaults"> {
  const vaeConfig = inferVaeConfig(vae.tensors, vae.path);
  checkVae(vae.tensors, vaeConfig, vae.path);
  const config = pairWithVae(transformer.sizes, vaeConfig, { infinity: transformer.path, vae: vae.path });
  return {
    infinity: { path: transformer.path, tensors: transformer.tensors, config },
    vae: { path: vae.path, tensors: vae.tensors, config: vaeConfig },
    defaults: published?.defaults ?? UNPUBLISHED_DEFAULTS,
  };
}

/** Reads the `config.json` in a text encoder's folder and checks the weights against it. */
export async function checkTextEncoder({ path, tensors }: Candidate, place: JsonFolder): Promise<TextEncoderFiles> {
  const { folder } = place;
  const config = parseT5Config(await place.readJson("config.json"), `${folder}/config.json`);
  checkT5(tensors, config, path);
  return { folder, readJson: (name) => place.readJson(name), path, tensors, config };
}

/** Refuses a text encoder whose features are not as wide as what the transformer reads. */
export function checkTextWidth({ path, config }: TextEncoderFiles, { textChannels }: InfinityConfig): void {
  if (config.width === textChannels) return;
  throw new ModelError(`${path}: a wrong text encoder: its width is ${config.width}, the model needs ${textChannels}`);
}
