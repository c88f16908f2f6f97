/** The encoder's tensors by what they do. */
import type { StoredTensor } from "../../checkpoint/tensor.js";
import type { Tensors } from "../manifest.js";
import type { T5Config } from "./config.js";
import { checkT5, publishedT5 } from "./tensors.js";

/** Weights of one block; matrices are [out, in]. */
export interface T5LayerWeights {
  readonly attentionNorm: StoredTensor;
  readonly q: StoredTensor;
  readonly k: StoredTensor;
  readonly v: StoredTensor;
  readonly o: StoredTensor;
  readonly feedForwardNorm: StoredTensor;
  /** The half of the first matrix that goes through the GELU. */
  readonly gate: StoredTensor;
  /** The half that the gate multiplies. */
  readonly up: StoredTensor;
  readonly down: StoredTensor;
}

/** Weights of the whole encoder. */
export interface T5Weights {
  /** [vocabulary, width] */
  readonly embedding: StoredTensor;
  /** [relativeBuckets, heads], shared by all blocks. */
  readonly relativeBias: StoredTensor;
  readonly layers: readonly T5LayerWeights[];
  readonly finalNorm: StoredTensor;
}

/** The weights of the encoder in `file`; a tensor too few or too many, or of another shape, is a `ModelError`. */
export function t5Weights(config: T5Config, tensors: Tensors, file: string): T5Weights {
  const encoder = publishedT5(tensors);
  checkT5(encoder, config, file);
  const weight = (name: string): StoredTensor => encoder.get(`${name}.weight`)!;
  return {
    embedding: weight("shared"),
    relativeBias: weight("encoder.block.0.layer.0.SelfAttention.relative_attention_bias"),
    layers: Array.from({ length: config.layers }, (_, layer) => layerWeights(weight, `encoder.block.${layer}.layer`)),
    finalNorm: weight("encoder.final_layer_norm"),
  };
}

function layerWeights(weight: (name: string) => StoredTensor, prefix: string): T5LayerWeights {
  return {
    attentionNorm: weight(`${prefix}.0.layer_norm`),
    q: weight(`${prefix}.0.SelfAttention.q`),
    k: weight(`${prefix}.0.SelfAttention.k`),
    v: weight(`${prefix}.0.SelfAttention.v`),
    o: weight(`${prefix}.0.SelfAttention.o`),
    feedForwardNorm: weight(`${prefix}.1.layer_norm`),
    gate: weight(`${prefix}.1.DenseReluDense.wi_0`),
    up: weight(`${prefix}.1.DenseReluDense.wi_1`),
    down: weight(`${prefix}.1.DenseReluDense.wo`),
  };
}
