/**
 * From a name or a folder to the checked, opened files of a model. Files are told apart by their tensors; what is
 * missing, doubled or does not fit is refused by name before anything is loaded.
 */
import { join, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { readCalibrationBeside } from "../budget/budget-file.js";
import { openCheckpoint } from "../checkpoint/open.js";
import { ModelError } from "../errors.js";
import {
  checkTextWidth,
  checkTransformer,
  joinParts,
  type CheckedTransformer,
  type ImageModelFiles,
  type ModelFiles,
  type TextEncoderFiles,
} from "./assemble.js";
import {
  DEFAULT_MODEL,
  EMBEDDED_MODELS,
  FLAN_T5_XL,
  FLAN_T5_XL_CHANNELS,
  FLAN_T5_XL_NAME,
  publishedBySize,
  publishedModel,
  publishedNames,
  type ModelDefaults,
  type PublishedModel,
} from "./catalogue.js";
import type { InfinityConfig } from "./infinity/config.js";
import { PART_TITLES, type ModelPart } from "./parts.js";
import { lookAt } from "./paths.js";
import { checkpointPaths, searchFolder, type FolderContents } from "./search.js";
import { Shelf, type Candidate } from "./shelf.js";
import { WeightsFolder } from "./weights-folder.js";
import { textEncoderAround, textEncoderIn } from "./text-encoder.js";

/** Where a part lies, if not where the model is. */
export interface ResolveOptions {
  /** The autoencoder's file. */
  readonly vae?: string | undefined;
  /** The text encoder's folder or file; false where the text's features come from elsewhere. */
  readonly textEncoder?: string | false | undefined;
}

/**
 * Finds, opens and checks a model: a published name (in the Hugging Face cache), the embedded model, a folder of
 * checkpoints, or a transformer's file with the other parts beside it. A name comes before a folder called the same,
 * which is then written `./NAME`.
 *
 * Errors: {@link ModelError} for an unknown name, a missing, doubled or wrong part; `CheckpointError` for a damaged file,
 * `BudgetError` for a damaged calibration beside it.
 */
export function resolveModel(
  model: string | undefined,
  options: ResolveOptions & { textEncoder: false },
): Promise<ImageModelFiles>;
export function resolveModel(
  model?: string,
  options?: ResolveOptions & { textEncoder?: string | undefined },
): Promise<ModelFiles>;
export async function resolveModel(model = DEFAULT_MODEL, options: ResolveOptions = {}): Promise<ImageModelFiles> {
  const shelf = new Shelf(openCheckpoint);
  try {
    const parts = await openParts(await locate(model), options, shelf);
    const { path, config } = parts.infinity;
    const calibration = await readCalibrationBeside(path, config);
    return { name: model, ...parts, calibration, store: new WeightsFolder(), close: () => shelf.close() };
  } catch (error) {
    await shelf.close();
    throw error;
  }
}

/** Where to look: a folder to search, or the parts' own paths. */
interface Place {
  readonly folder?: string;
  readonly transformer?: string;
  readonly vae?: string;
  readonly published?: PublishedModel;
  /** Of a model that ships with the package. */
  readonly defaults?: ModelDefaults;
}

async function locate(model: string): Promise<Place> {
  // src/models/ and dist/models/ are equally deep below the package's root.
  const defaults = EMBEDDED_MODELS.get(model);
  if (defaults) return { defaults, folder: fileURLToPath(new URL(`../../models/${model}`, import.meta.url)) };
  const published = publishedModel(model);
  if (published) return { published, ...(await cachedFiles(published)) };
  const found = await lookAt(model);
  if (!found) {
    throw new ModelError(
      `${model}: neither a folder nor a model's name (${[...EMBEDDED_MODELS.keys()].join(", ")}, ${publishedNames()})`,
    );
  }
  return found.folder ? { folder: model } : { folder: dirname(model), transformer: model };
}

/** A repository's snapshot in the Hugging Face cache; that cache's library is not read for models that lie elsewhere. */
async function hubSnapshot(repo: string): Promise<string | undefined> {
  return (await import("./hub-cache.js")).snapshotFolder(repo);
}

/** A published model's files in the cache; a missing one is a {@link ModelError} that says how to get it. */
async function cachedFiles(model: PublishedModel): Promise<Required<Pick<Place, "transformer" | "vae">>> {
  const snapshot = await hubSnapshot(model.repo);
  const cached = async (file: string): Promise<string> => {
    const path = snapshot === undefined ? undefined : join(snapshot, file);
    if (path === undefined || !(await lookAt(path))) {
      throw new ModelError(`${model.name}: ${file} is not downloaded yet; run: scalekv download ${model.name}`);
    }
    return path;
  };
  return { transformer: await cached(model.transformer), vae: await cached(model.vae) };
}

type Parts = Pick<ImageModelFiles, "infinity" | "vae" | "defaults"> & { textEncoder?: TextEncoderFiles };

async function openParts(place: Place, options: ResolveOptions, shelf: Shelf): Promise<Parts> {
  const found = place.folder === undefined ? NOTHING : await searchFolder(place.folder, shelf);
  const transformer = checkTransformer(
    place.transformer === undefined
      ? only(found, "transformer", place)
      : await shelf.require(place.transformer, "transformer"),
  );
  const vaePath = options.vae ?? place.vae;
  const vae = vaePath === undefined ? fittingVae(found, transformer, place) : await shelf.require(vaePath, "vae");
  const joined = joinParts(transformer, vae, place.published);
  const parts = { ...joined, defaults: place.defaults ?? joined.defaults };
  if (options.textEncoder === false) return parts;
  return { ...parts, textEncoder: await textEncoderFor(parts.infinity.config, found, place, options, shelf) };
}

/**
 * The folder of a model's transformer, where things that belong to the model may lie beside it. The model is not opened.
 *
 * Errors: {@link ModelError} for an unknown name, and for a published model that is not downloaded.
 */
export async function modelFolder(model: string): Promise<string> {
  const { folder, transformer = "" } = await locate(model);
  return folder ?? dirname(transformer);
}

/** What messages call a place. */
function nameOf({ published, folder = "" }: Place): string {
  return published?.name ?? folder;
}

const NOTHING: FolderContents = { candidates: [], others: [] };

/** The only candidate for a part; none or several are a {@link ModelError} that lists what there is. */
function only(found: FolderContents, part: ModelPart, place: Place, hint = ""): Candidate {
  const [first, ...more] = found.candidates.filter((candidate) => candidate.part === part);
  if (first && more.length === 0) return first;
  if (!first) {
    const seen = [
      ...found.candidates.map(({ path, part: other }) => `${path} (${PART_TITLES[other]})`),
      ...found.others,
    ];
    const rest = seen.length > 0 ? `; found ${seen.join("; ")}` : "; found no checkpoint";
    throw new ModelError(`${nameOf(place)}: no ${PART_TITLES[part]}${hint}${rest}`);
  }
  const paths = [first, ...more].map(({ path }) => path).join(", ");
  throw new ModelError(`${nameOf(place)}: more than one ${PART_TITLES[part]}${hint}: ${paths}; name one of them`);
}

/** Of several autoencoders in a folder the one that fits is meant; alone, it must fit. */
function fittingVae(found: FolderContents, transformer: CheckedTransformer, place: Place): Candidate {
  const fits = found.candidates.filter((candidate) => candidate.part === "vae" && fitsTogether(transformer, candidate));
  const [model] = publishedBySize(transformer.sizes, transformer.path);
  const hint = model ? ` (${model.title} works only with ${model.vae})` : "";
  return only(fits.length > 0 ? { ...found, candidates: fits } : found, "vae", place, hint);
}

function fitsTogether(transformer: CheckedTransformer, vae: Candidate): boolean {
  try {
    joinParts(transformer, vae);
    return true;
  } catch (error) {
    if (error instanceof ModelError) return false;
    throw error;
  }
}

/** The text encoder the caller named, the one in the model's folder, or FLAN-T5-XL from the cache if that is what fits. */
async function textEncoderFor(
  config: InfinityConfig,
  found: FolderContents,
  place: Place,
  { textEncoder }: ResolveOptions,
  shelf: Shelf,
): Promise<TextEncoderFiles> {
  const local = found.candidates.some(({ part }) => part === "text encoder");
  const cached = (): Promise<string | undefined> => cachedT5(config.textChannels, nameOf(place));
  const named = typeof textEncoder === "string" ? textEncoder : local ? undefined : await cached();
  const files =
    named === undefined
      ? await textEncoderAround(only(found, "text encoder", place))
      : await textEncoderIn(named, shelf);
  checkTextWidth(files, config);
  return files;
}

/** FLAN-T5-XL in the cache; undefined where the model needs another width. */
async function cachedT5(textChannels: number, place: string): Promise<string | undefined> {
  if (textChannels !== FLAN_T5_XL_CHANNELS) return undefined;
  const snapshot = await hubSnapshot(FLAN_T5_XL.repo);
  const here = snapshot !== undefined && (await lookAt(snapshot))?.folder === true;
  if (here && (await checkpointPaths(snapshot)).length > 0) return snapshot;
  throw new ModelError(
    `${place}: its text encoder ${FLAN_T5_XL.repo} is not downloaded yet; run: scalekv download ${FLAN_T5_XL_NAME}`,
  );
}
