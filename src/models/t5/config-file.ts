/** A T5 encoder's `config.json`, as Hugging Face writes it. */
import { z } from "zod";
import { ModelError } from "../../errors.js";
import type { T5Config } from "./config.js";

/** A size: large enough for every published T5, small enough that a damaged file asks for nothing absurd. */
const size = (limit: number) => z.number().int().positive().max(limit);

/** Fields the encoder depends on; all others are ignored. The defaults are those of Hugging Face's `T5Config`. */
const CONFIG = z.object({
  model_type: z.enum(["t5", "t5_encoder"]),
  d_model: size(1 << 16),
  d_kv: size(1 << 12),
  d_ff: size(1 << 18),
  num_layers: size(1000),
  num_heads: size(1000),
  vocab_size: size(1 << 24),
  feed_forward_proj: z.literal("gated-gelu"),
  relative_attention_num_buckets: size(1 << 16).default(32),
  relative_attention_max_distance: size(1 << 20).default(128),
  layer_norm_epsilon: z.number().positive().max(1).default(1e-6),
});

/** Reads the sizes out of a parsed `config.json`; a missing or impossible field is a {@link ModelError} that names it. */
export function parseT5Config(json: unknown, file: string): T5Config {
  const parsed = CONFIG.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join(".") ?? "";
    throw new ModelError(`${file}: not the configuration of a gated-GELU T5: ${field}: ${issue?.message ?? "invalid"}`);
  }
  const config = parsed.data;
  return {
    width: config.d_model,
    layers: config.num_layers,
    heads: config.num_heads,
    headDim: config.d_kv,
    hidden: config.d_ff,
    vocabulary: config.vocab_size,
    relativeBuckets: config.relative_attention_num_buckets,
    relativeMaxDistance: config.relative_attention_max_distance,
    epsilon: config.layer_norm_epsilon,
  };
}
