import { describe, expect, it } from "vitest";
import { emptyTensors } from "../../../test/support/manifests.js";
import { ModelError } from "../../errors.js";
import { parseT5Config } from "./config-file.js";
import { checkT5, publishedT5, t5Tensors } from "./tensors.js";

const JSON_CONFIG = {
  model_type: "t5",
  d_model: 64,
  d_kv: 16,
  d_ff: 96,
  num_layers: 3,
  num_heads: 6,
  vocab_size: 128,
  feed_forward_proj: "gated-gelu",
};
const CONFIG = parseT5Config(JSON_CONFIG, "config.json");

describe("parseT5Config", () => {
  it("reads the sizes, and Hugging Face's defaults where the file is silent", () => {
    expect(CONFIG).toEqual({
      width: 64,
      layers: 3,
      heads: 6,
      headDim: 16,
      hidden: 96,
      vocabulary: 128,
      relativeBuckets: 32,
      relativeMaxDistance: 128,
      epsilon: 1e-6,
    });
  });

  it.each([
    [{ feed_forward_proj: "relu" }, "feed_forward_proj"],
    [{ d_model: 0 }, "d_model"],
    [{ num_layers: 1e9 }, "num_layers"],
    [{ num_heads: undefined }, "num_heads"],
    [{ model_type: "bert" }, "model_type"],
  ])("refuses %j and names the field", (change, field) => {
    expect(() => parseT5Config({ ...JSON_CONFIG, ...change }, "dir/config.json")).toThrow(
      new RegExp(`^dir/config\\.json: not the configuration of a gated-GELU T5: ${field}: `),
    );
  });

  it("refuses what is no object", () => {
    expect(() => parseT5Config([], "config.json")).toThrow(ModelError);
  });
});

describe("publishedT5", () => {
  const encoder = t5Tensors(CONFIG);

  it("takes the encoder out of a whole T5", () => {
    const whole = emptyTensors(encoder, {
      "encoder.embed_tokens.weight": [128, 64],
      "decoder.block.0.layer.0.SelfAttention.q.weight": [96, 64],
      "lm_head.weight": [128, 64],
    });
    expect([...publishedT5(whole).keys()]).toEqual([...encoder.keys()]);
  });

  it("takes the embedding by its other name", () => {
    const renamed = [...encoder].map(
      ([name, shape]) => [name.replace("shared", "encoder.embed_tokens"), shape] as const,
    );
    const tensors = publishedT5(emptyTensors(renamed));
    expect([...tensors.keys()].sort()).toEqual([...encoder.keys()].sort());
  });

  it("leaves a missing layer for the check to name", () => {
    const tensors = publishedT5(emptyTensors([...encoder].filter(([name]) => !name.includes("block.2.layer.1.Dense"))));
    expect(() => {
      checkT5(tensors, CONFIG, "t5");
    }).toThrow(/^t5: .*: encoder\.block\.2\.layer\.1\.DenseReluDense\.wi_0\.weight \[96, 64\] is missing; /);
  });
});
