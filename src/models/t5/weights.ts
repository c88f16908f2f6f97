/** The encoder's tensors, found by the names Hugging Face gives them and checked against the configuration. */
import type { Checkpoint } from "../../checkpoint/checkpoint.js";
import type { StoredTensor } from "../../checkpoint/tensor.js";
import { ModelError } from "../../errors.js";
import type { T5Config } from "./config.js";

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

/** Finds a tensor by name and demands a shape of it. */
type Find = (name: string, shape: readonly number[]) => StoredTensor;

/**
 * The encoder's part of a T5 checkpoint; a decoder beside it is ignored.
 *
 * Errors: {@link ModelError} for a tensor that is missing or has another shape than the configuration says.
 */
export function t5Weights(config: T5Config, { path, tensors }: Pick<Checkpoint, "path" | "tensors">): T5Weights {
  const find: Find = (name, shape) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new ModelError(`${path}: tensor ${name} is missing`);
    if (tensor.shape.join() !== shape.join()) {
      throw new ModelError(`${path}: tensor ${name} is [${tensor.shape.join(", ")}], expected [${shape.join(", ")}]`);
    }
    return tensor;
  };
  // An encoder saved by itself may hold the embedding under its second name only.
  const embedding = tensors.has("shared.weight") ? "shared.weight" : "encoder.embed_tokens.weight";
  return {
    embedding: find(embedding, [config.vocabulary, config.width]),
    relativeBias: find("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", [
      config.relativeBuckets,
      config.heads,
    ]),
    layers: Array.from({ length: config.layers }, (_, layer) => layerWeights(config, find, layer)),
    finalNorm: find("encoder.final_layer_norm.weight", [config.width]),
  };
}

function layerWeights({ width, hidden, heads, headDim }: T5Config, find: Find, layer: number): T5LayerWeights {
  const attention = `encoder.block.${layer}.layer.0`;
  const feedForward = `encoder.block.${layer}.layer.1`;
  const inner = heads * headDim;
  return {
    attentionNorm: find(`${attention}.layer_norm.weight`, [width]),
    q: find(`${attention}.SelfAttention.q.weight`, [inner, width]),
    k: find(`${attention}.SelfAttention.k.weight`, [inner, width]),
    v: find(`${attention}.SelfAttention.v.weight`, [inner, width]),
    o: find(`${attention}.SelfAttention.o.weight`, [width, inner]),
    feedForwardNorm: find(`${feedForward}.layer_norm.weight`, [width]),
    gate: find(`${feedForward}.DenseReluDense.wi_0.weight`, [hidden, width]),
    up: find(`${feedForward}.DenseReluDense.wi_1.weight`, [hidden, width]),
    down: find(`${feedForward}.DenseReluDense.wo.weight`, [width, hidden]),
  };
}
