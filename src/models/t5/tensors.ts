/** Which tensors a T5 encoder has, by the names Hugging Face publishes them under. */
import type { StoredTensor } from "../../checkpoint/tensor.js";
import { checkManifest, type Manifest, type Tensors } from "../manifest.js";
import type { T5Config } from "./config.js";

/** The token embedding has two names, one for encoder and decoder together and one for the encoder alone. */
const SHARED_EMBEDDING = "shared.weight";
const ENCODER_EMBEDDING = "encoder.embed_tokens.weight";

/**
 * The encoder's part of a published T5: without decoder and language-model head, with the token embedding as
 * `shared.weight` whichever of its two names the file uses.
 */
export function publishedT5(tensors: Tensors): Tensors {
  const published = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) {
    if (name.startsWith("decoder.") || name.startsWith("lm_head.")) continue;
    if (name !== ENCODER_EMBEDDING) published.set(name, tensor);
    else if (!tensors.has(SHARED_EMBEDDING)) published.set(SHARED_EMBEDDING, tensor);
  }
  return published;
}

/** Every tensor of an encoder of these sizes. Linear layers are [out, in] and have no bias. */
export function t5Tensors(config: T5Config): Manifest {
  const { width, layers, heads, vocabulary, relativeBuckets } = config;
  const manifest = new Map<string, readonly number[]>([[SHARED_EMBEDDING, [vocabulary, width]]]);
  for (let layer = 0; layer < layers; layer++) {
    for (const [name, shape] of blockTensors(config)) manifest.set(`encoder.block.${layer}.${name}`, shape);
  }
  // The first block's position bias serves all blocks.
  manifest.set("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", [relativeBuckets, heads]);
  manifest.set("encoder.final_layer_norm.weight", [width]);
  return manifest;
}

/** The tensors of one block, without its prefix. */
function blockTensors({ width, heads, headDim, hidden }: T5Config): [string, readonly number[]][] {
  const inner = heads * headDim;
  return [
    ["layer.0.SelfAttention.q.weight", [inner, width]],
    ["layer.0.SelfAttention.k.weight", [inner, width]],
    ["layer.0.SelfAttention.v.weight", [inner, width]],
    ["layer.0.SelfAttention.o.weight", [width, inner]],
    ["layer.0.layer_norm.weight", [width]],
    ["layer.1.DenseReluDense.wi_0.weight", [hidden, width]],
    ["layer.1.DenseReluDense.wi_1.weight", [hidden, width]],
    ["layer.1.DenseReluDense.wo.weight", [width, hidden]],
    ["layer.1.layer_norm.weight", [width]],
  ];
}

/** Checks that a file holds exactly the encoder its configuration describes; any difference is a `ModelError`. */
export function checkT5(tensors: Tensors, config: T5Config, file: string): void {
  checkManifest(tensors, t5Tensors(config), file, "the T5 encoder of its config.json");
}
