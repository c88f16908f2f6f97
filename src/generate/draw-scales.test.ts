/** The loop's own share in giving back hidden states; what it draws is tested in test/tiny and test/parity. */
import { describe, expect, it } from "vitest";
import type { KvCache } from "../cache/kv-cache.js";
import { ModelError } from "../errors.js";
import type { CodeAccumulator } from "../models/bsq-vae/accumulator.js";
import type { TextRows } from "../models/infinity/text.js";
import type { Transformer } from "../models/infinity/transformer.js";
import type { Clock } from "../runtime/clock.js";
import type { Tensor } from "../runtime/tensor.js";
import { drawScales, type Drawing } from "./draw-scales.js";
import { resolveSettings } from "./settings.js";

const DEPTH = 4;
const DEFAULTS = { pixels: "0.06M", guidance: 3, temperature: 1 } as const;

/** Draws with stand-ins whose states are counted; `given` throws somewhere. Returns the states that nobody freed. */
async function statesLeft(given: Partial<Drawing>, failAt = Infinity): Promise<number> {
  const held = new Set<Tensor>();
  const state = (): Tensor => {
    const tensor: Partial<Tensor> = { size: 4, dispose: () => void held.delete(tensor as Tensor) };
    held.add(tensor as Tensor);
    return tensor as Tensor;
  };
  const pass = (x: Tensor, fails = false): Promise<Tensor> => {
    x.dispose();
    return fails ? Promise.reject(new Error("failed")) : Promise.resolve(state());
  };
  let layers = 0;
  const transformer = {
    config: { depth: DEPTH, heads: 1, width: 4 },
    layer: async (_: number, x: Tensor) => ({ y: await pass(x, layers++ === failAt), kept: [[0]] }),
    guide: (x: Tensor) => pass(x),
    logits: () => Promise.reject(new Error("the first scale was drawn")),
  } as unknown as Transformer;
  const drawing: Drawing = {
    transformer,
    settings: resolveSettings({ guidanceLayers: [-2] }, DEFAULTS, { images: 1, depth: DEPTH }),
    batch: 1,
    text: { rows: 2, start: state() } as unknown as TextRows,
    cache: { scales: 6, bytes: 0 } as unknown as KvCache,
    codes: {} as unknown as CodeAccumulator,
    chooseBits: () => new Uint8Array(0),
    checkpoint: () => undefined,
    ...given,
  };
  await expect(drawScales(drawing)).rejects.toThrow("failed");
  return held.size;
}

function fail(): never {
  throw new Error("failed");
}

describe("logits", () => {
  it.each([
    ["q8", NaN, "weights q8: at scale 1 the transformer gives logits that are no numbers"],
    [
      "fp16",
      Infinity,
      "weights fp16: at scale 1 the transformer gives logits that are no numbers; in float16 numbers end at 65,504, which fp32 and q8 go beyond",
    ],
  ] as const)("of %s that are %d are refused in one line, as they would draw zeros", async (weights, value, line) => {
    const transformer = {
      config: { depth: 0, heads: 1, width: 4 },
      weights,
      logits: () => Promise.resolve(Float32Array.of(1, value)),
    } as unknown as Transformer;
    const settings = resolveSettings({}, DEFAULTS, { images: 1, depth: 1 });
    const given = { transformer, settings, text: { rows: 2 }, cache: { scales: 6 }, checkpoint: () => undefined };
    await expect(drawScales(given as unknown as Drawing)).rejects.toThrow(new ModelError(line));
  });
});

/** Fails the third time. */
function later(): () => void {
  let calls = 0;
  return () => (++calls === 3 ? fail() : undefined);
}

describe("the loop over layers", () => {
  it.each<[string, Partial<Drawing>]>([
    ["the first checkpoint", { checkpoint: fail }],
    ["a later checkpoint", { checkpoint: later() }],
    ["who is told about a layer", { onLayer: later() }],
    ["who is told what was kept", { onKept: later() }],
  ])("leaves no state where %s throws", async (_, given) => {
    expect(await statesLeft(given)).toBe(0);
  });

  it("takes the time of guidance by itself", async () => {
    const parts: string[] = [];
    const time: Clock = async (part, work) => {
      parts.push(part);
      return work();
    };
    await statesLeft({ time, onLayer: later() });
    // Guidance is behind the last layer but one, which is the third.
    expect(parts).toEqual(["layers", "guidance"]);
  });

  it("leaves no state where a layer fails", async () => {
    expect(await statesLeft({}, 2)).toBe(0);
  });
});
