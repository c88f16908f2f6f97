/** The sizes of a T5 encoder, as its `config.json` states them. */
import { z } from "zod";
import { ModelError } from "../../errors.js";

/** Sizes of a T5 encoder with a gated GELU (FLAN-T5 and T5 1.1). */
export interface T5Config {
  /** Width of the hidden state. */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Dimension of one head; heads · headDim need not equal the width. */
  readonly headDim: number;
  /** Width of the gated feed-forward layer. */
  readonly hidden: number;
  readonly vocabulary: number;
  readonly relativeBuckets: number;
  readonly relativeMaxDistance: number;
  readonly epsilon: number;
}

const size = z.int().positive();

/** The fields of a published `config.json` that matter; the defaults are those of Hugging Face's T5. */
const PublishedConfig = z.object({
  model_type: z.literal("t5").default("t5"),
  d_model: size,
  d_kv: size,
  num_heads: size,
  d_ff: size,
  num_layers: size,
  vocab_size: size,
  feed_forward_proj: z.literal("gated-gelu"),
  // Half of the buckets look back, half ahead; half of those hold one distance each. Fewer than 4 leave none of a kind.
  relative_attention_num_buckets: z.int().min(4).default(32),
  relative_attention_max_distance: size.default(128),
  layer_norm_epsilon: z.number().positive().default(1e-6),
});

/**
 * Sizes from a parsed `config.json`; `file` is named in errors.
 *
 * Errors: {@link ModelError} for a missing or impossible value, and for T5 1.0, whose feed-forward layer is not gated.
 */
export function parseT5Config(json: unknown, file: string): T5Config {
  const { data, error } = PublishedConfig.safeParse(json);
  if (!data) {
    const issue = error.issues[0];
    throw new ModelError(`${file}: ${issue?.path.join(".") || "T5 configuration"}: ${issue?.message ?? "unreadable"}`);
  }
  return {
    width: data.d_model,
    layers: data.num_layers,
    heads: data.num_heads,
    headDim: data.d_kv,
    hidden: data.d_ff,
    vocabulary: data.vocab_size,
    relativeBuckets: data.relative_attention_num_buckets,
    relativeMaxDistance: data.relative_attention_max_distance,
    epsilon: data.layer_norm_epsilon,
  };
}
