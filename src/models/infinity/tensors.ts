/**
 * Which tensors an Infinity transformer has. Its sizes are read off them (a checkpoint carries no configuration) and
 * the whole file is then checked against the manifest those sizes imply.
 */
import type { StoredTensor } from "../../checkpoint/tensor.js";
import { ModelError } from "../../errors.js";
import {
  checkManifest,
  divideEvenly,
  refuseForeign,
  requireShape,
  type ForeignTensor,
  type Manifest,
  type Tensors,
} from "../manifest.js";
import type { InfinityConfig } from "./config.js";
import { blockPrefix } from "./names.js";

/** What a transformer's tensors show; whether its tokens are 2 × 2 patches only its VAE can tell. */
export type InfinitySizes = Omit<InfinityConfig, "patchify">;

/** Masks and index tables of training; the published code drops them on loading, too. */
const TRAINING_BUFFERS: ReadonlySet<string> = new Set([
  "lvl_1L",
  "attn_bias_for_masking",
  "Infinity_visible_kvlen",
  "Infinity_invisible_qlen",
]);

/** Variants the published code can train and this project does not run. */
const FOREIGN: readonly ForeignTensor[] = [
  { name: /^class_emb\.weight$/, meaning: "a class-conditional model (VAR)" },
  { name: /\.ffn\.fcg\.weight$/, meaning: "a SwiGLU feed-forward layer" },
  { name: /(^|\.)(blocks|module)\.\d+\.ada_lin\./, meaning: "an adaptive layer norm of each block's own" },
  { name: /\.ca_gamma$/, meaning: "a scale on the cross-attention" },
  { name: /^norm0_ve\./, meaning: "a norm before the word embedding" },
  { name: /^head\.\d+\./, meaning: "a head of several layers" },
];

/** Logarithm of what each head's queries are multiplied by. */
const SCALE_MUL = ".sa.scale_mul_1H11";

/**
 * The transformer's tensors as this project names and shapes them, whatever the training run wrote: without its
 * buffers, and with the attention scale of the flash-attention variant, [1, 1, heads, 1], as [1, heads, 1, 1].
 */
export function publishedInfinity(tensors: Tensors): Tensors {
  const published = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) {
    if (TRAINING_BUFFERS.has(name)) continue;
    published.set(name, name.endsWith(SCALE_MUL) && tensor.shape.length === 4 ? headsFirst(tensor) : tensor);
  }
  return published;
}

/** [1, 1, heads, 1] → [1, heads, 1, 1]; any other shape stays, for the manifest to judge. */
function headsFirst(tensor: StoredTensor): StoredTensor {
  const [a = 0, b = 0, c = 0, d = 0] = tensor.shape;
  if (b !== 1 || c === 1) return tensor;
  const [sa = 0, sb = 0, sc = 0, sd = 0] = tensor.strides;
  return { ...tensor, shape: [a, c, b, d], strides: [sa, sc, sb, sd] };
}

/**
 * Reads the sizes of a transformer off its tensors (as {@link publishedInfinity} gives them).
 * A variant this project does not run, or sizes that contradict each other, are a {@link ModelError}.
 */
export function inferInfinityConfig(tensors: Tensors, file: string): InfinitySizes {
  refuseForeign(tensors, FOREIGN, file);
  const { depth, chunks } = inferDepth(tensors, file);
  const [, , width = 0] = requireShape(tensors, "pos_start", 3, file);
  const [textLength = 0, textChannels = 0] = requireShape(tensors, "cfg_uncond", 2, file);
  const [, bits = 0] = requireShape(tensors, "word_embed.weight", 2, file);
  const [levels = 0] = requireShape(tensors, "lvl_embed.weight", 2, file);
  const first = blockPrefix({ depth, chunks }, 0);
  requireLayerNorm(tensors, first, file);
  const [, heads = 0] = requireShape(tensors, first + SCALE_MUL, 4, file);
  const [hidden = 0] = requireShape(tensors, `${first}.ffn.fc1.weight`, 2, file);
  requireBitLabels(tensors, bits, file);
  // The rotary embedding turns pairs, half of them by row and half by column.
  divideEvenly(divideEvenly(width, heads, "width of a head", file), 4, "rotary embedding of a head", file);
  divideEvenly(textChannels, poolHeadDim(width), "heads of the text pooling", file);
  return { depth, width, heads, hidden, textChannels, textLength, bits, chunks, levels };
}

/** Blocks are counted by name, never by the largest number in a name, so that a hostile file cannot ask for billions. */
function inferDepth(tensors: Tensors, file: string): { depth: number; chunks: number } {
  const blocks = new Set<string>();
  const chunks = new Set<string>();
  for (const name of tensors.keys()) {
    const [block, chunk = "0"] = /^(?:block_chunks\.(\d+)\.module|blocks)\.\d+(?=\.)/.exec(name) ?? [];
    if (block === undefined) continue;
    blocks.add(block);
    chunks.add(chunk);
  }
  if (blocks.size === 0)
    throw new ModelError(`${file}: has no transformer block (blocks.0 or block_chunks.0.module.0)`);
  divideEvenly(blocks.size, chunks.size, "blocks in a chunk", file);
  return { depth: blocks.size, chunks: chunks.size };
}

/** The norms that have weights tell which kind all norms of the model are: RMS norms have no bias. */
function requireLayerNorm(tensors: Tensors, block: string, file: string): void {
  if (tensors.has(`${block}.ca_norm.weight`) && !tensors.has(`${block}.ca_norm.bias`)) {
    throw new ModelError(`${file}: RMS norm in the blocks is not supported (tensor ${block}.ca_norm.bias is missing)`);
  }
}

/** Two logits a bit; the alternative in the published code is one logit for each of the 2^bits codes. */
function requireBitLabels(tensors: Tensors, bits: number, file: string): void {
  const [logits = 0] = requireShape(tensors, "head.weight", 2, file);
  if (logits !== 2 * bits) {
    throw new ModelError(`${file}: head.weight has ${logits} rows, expected 2 for each of ${bits} bits (${2 * bits})`);
  }
}

/** Head dimension of the text pooling, counted in text channels (`TextAttentivePool` of the published code). */
function poolHeadDim(width: number): number {
  return width > 4096 ? 64 : 128;
}

/** Every tensor of a transformer of these sizes, under its published name. Linear layers are [out, in]. */
export function infinityTensors(sizes: InfinitySizes): Manifest {
  const { depth, width, textChannels, textLength, bits, levels } = sizes;
  const poolHeads = textChannels / poolHeadDim(width);
  const manifest = new Map<string, readonly number[]>([
    ["cfg_uncond", [textLength, textChannels]],
    ["pos_start", [1, 1, width]],
    ["text_norm.weight", [textChannels]],
    ["text_proj_for_sos.ca.mat_q", [1, poolHeads, width / poolHeads]],
    ["text_proj_for_sos.ca.v_bias", [width]],
    ["text_proj_for_sos.ca.zero_k_bias", [width]],
    ["text_proj_for_sos.ca.mat_kv.weight", [2 * width, textChannels]],
    ...linear("text_proj_for_sos.ca.proj", width, width),
    ...linear("text_proj_for_ca.0", width, textChannels),
    ...linear("text_proj_for_ca.2", width, width),
    ["lvl_embed.weight", [levels, width]],
    ...linear("word_embed", width, bits),
    ...linear("shared_ada_lin.1", 6 * width, width),
    ...linear("head_nm.ada_lin.1", 2 * width, width),
    ...linear("head", 2 * bits, width),
  ]);
  for (let layer = 0; layer < depth; layer++) {
    for (const [name, shape] of blockTensors(sizes)) manifest.set(`${blockPrefix(sizes, layer)}.${name}`, shape);
  }
  return manifest;
}

/** The tensors of one block, without its prefix. */
function blockTensors({ width, heads, hidden }: InfinitySizes): [string, readonly number[]][] {
  return [
    ["ada_gss", [1, 1, 6, width]],
    ["sa.scale_mul_1H11", [1, heads, 1, 1]],
    ["sa.q_bias", [width]],
    ["sa.v_bias", [width]],
    ["sa.zero_k_bias", [width]],
    ["sa.mat_qkv.weight", [3 * width, width]],
    ...linear("sa.proj", width, width),
    ["ca.v_bias", [width]],
    ["ca.zero_k_bias", [width]],
    ...linear("ca.mat_q", width, width),
    ["ca.mat_kv.weight", [2 * width, width]],
    ...linear("ca.proj", width, width),
    ...linear("ffn.fc1", hidden, width),
    ...linear("ffn.fc2", width, hidden),
    ["ca_norm.weight", [width]],
    ["ca_norm.bias", [width]],
  ];
}

function linear(name: string, out: number, into: number): [string, readonly number[]][] {
  return [
    [`${name}.weight`, [out, into]],
    [`${name}.bias`, [out]],
  ];
}

/** Checks that a file holds exactly the transformer of these sizes; any difference is a {@link ModelError}. */
export function checkInfinity(tensors: Tensors, sizes: InfinitySizes, file: string): void {
  checkManifest(tensors, infinityTensors(sizes), file, "a transformer this project runs");
}
