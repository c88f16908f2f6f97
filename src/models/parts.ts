/**
 * The three parts of a text-to-image model, told apart by the tensors of their checkpoints, never by the name of a file
 * or by anything it says about itself.
 */
import { subtree } from "../checkpoint/checkpoint.js";
import type { VaeConfig } from "./bsq-vae/config.js";
import { inferVaeConfig, publishedVae } from "./bsq-vae/tensors.js";
import { PUBLISHED_VAE_BASE, PUBLISHED_VAES, publishedBySize, TRANSFORMER_SIZES } from "./catalogue.js";
import { inferInfinityConfig, publishedInfinity, type InfinitySizes } from "./infinity/tensors.js";
import type { Tensors } from "./manifest.js";
import { publishedT5 } from "./t5/tensors.js";

/** A part of a model. */
export type ModelPart = "transformer" | "vae" | "text encoder";

/** What messages call a part. */
export const PART_TITLES: Readonly<Record<ModelPart, string>> = {
  transformer: "Infinity transformer",
  vae: "autoencoder (VAE)",
  "text encoder": "T5 text encoder",
};

/** A part and where in the checkpoint it lies. */
export interface PartPlace {
  readonly part: ModelPart;
  /** Names of the dictionaries around its tensors, joined with dots; empty where they lie at the top. */
  readonly nesting: string;
}

/** Dictionaries that publishers and training scripts put around a part's tensors. */
export const NESTINGS = ["trainer.gpt_fsdp", "vae", "ema"] as const;

/** How a part is known, and under which dictionaries publishers and training scripts put it; the first one counts. */
const MARKS: readonly { part: ModelPart; nestings: readonly string[]; tensors: readonly string[] }[] = [
  { part: "transformer", nestings: ["trainer.gpt_fsdp", ""], tensors: ["pos_start"] },
  {
    part: "vae",
    nestings: ["vae", "ema", ""],
    tensors: ["decoder.conv_in.weight", "decoder.conv_in.conv.weight"],
  },
  {
    part: "text encoder",
    nestings: [""],
    tensors: ["encoder.block.0.layer.0.SelfAttention.q.weight"],
  },
];

/** Which part a checkpoint holds; undefined where it is none of them. */
export function findPart(tensors: Tensors): PartPlace | undefined {
  for (const { part, nestings, tensors: marks } of MARKS) {
    for (const nesting of nestings) {
      const prefix = nesting === "" ? "" : `${nesting}.`;
      if (marks.some((mark) => tensors.has(prefix + mark))) return { part, nesting };
    }
  }
  return undefined;
}

/** The part's tensors by the names this project uses, without what training left beside them. */
export function partTensors(tensors: Tensors, { part, nesting }: PartPlace, file: string): Tensors {
  const inner = subtree(tensors, [nesting]);
  if (part === "transformer") return publishedInfinity(inner);
  return part === "vae" ? publishedVae(inner, file) : publishedT5(inner);
}

/**
 * Says in words which published model a checkpoint is: "Infinity 2B (depth 32, …)"; undefined where it is no part of
 * any. A part that this project does not run is a `ModelError` that says why.
 */
export function recognise(tensors: Tensors, file = "checkpoint"): string | undefined {
  const place = findPart(tensors);
  if (!place) return undefined;
  const inner = partTensors(tensors, place, file);
  if (place.part === "transformer") return describeTransformer(inferInfinityConfig(inner, file), file);
  return place.part === "vae" ? describeVae(inferVaeConfig(inner, file)) : describeT5(inner);
}

function describeTransformer(sizes: InfinitySizes, file: string): string {
  const { depth, width, heads, bits } = sizes;
  const published = publishedBySize(sizes, file).map(({ title }) => title);
  const named = Object.entries(TRANSFORMER_SIZES).find(
    ([, size]) => size.depth === depth && size.width === width && size.heads === heads,
  );
  const title =
    published.length > 0 ? published.join(" or ") : `Infinity transformer ${named?.[0] ?? "of its own size"}`;
  return `${title} (depth ${depth}, width ${width}, ${heads} heads, ${bits} bits a token)`;
}

function describeVae({ bits, base, stride }: VaeConfig): string {
  const fits = PUBLISHED_VAES.filter((vae) => vae.bits === bits && vae.stride === stride);
  const files = base === PUBLISHED_VAE_BASE ? fits.map(({ file }) => file) : [];
  const title = files.length > 0 ? files.join(" or ") : "BSQ-VAE of its own size";
  return `${title} (${bits} bits, stride ${stride})`;
}

/** Depth and width of the encoder; FLAN-T5 and T5 1.1 of one size have the same shapes. */
function describeT5(tensors: Tensors): string {
  const norms = [...tensors.keys()].filter((name) => name.endsWith(".layer.1.layer_norm.weight")).length;
  const width = tensors.get("encoder.final_layer_norm.weight")?.shape[0] ?? 0;
  return norms === 24 && width === 2048
    ? "text encoder of FLAN-T5-XL (24 layers, width 2048)"
    : `text encoder of a T5 (${norms} layers, width ${width})`;
}
