import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { widened } from "../../test/support/cache.js";
import { runGraph } from "../../test/support/graph.js";
import { GraphBuilder } from "../graph/builder.js";
import type { Tensors } from "../runtime/session.js";
import { float16, float32, int8, values, type Tensor } from "../runtime/tensor.js";
import {
  bytesPerToken,
  narrow,
  STORAGE_TYPES,
  STORED_ELEMENT,
  storedInput,
  widen,
  type StorageType,
} from "./storage.js";

describe("bytesPerToken", () => {
  // Infinity 2B (16 heads of 128) and 8B (28 of 128); a scale of 4 bytes for every head of keys and of values.
  it.each<[StorageType, number, number]>([
    ["fp32", 16, 2 * 2048 * 4],
    ["fp16", 16, 2 * 2048 * 2],
    ["int8", 16, 2 * (2048 + 16 * 4)],
    ["int8", 28, 2 * (3584 + 28 * 4)],
  ])("counts keys, values and scales of %s with %i heads", (storage, heads, bytes) => {
    expect(bytesPerToken(storage, heads, 128)).toBe(bytes);
  });

  // 32 layers, 16 rows (a batch of 8 with guidance) and 650 tokens a layer: a tenth of the history at 1M.
  it.each<[StorageType, number]>([
    ["fp16", 2600],
    ["int8", 1340.625],
  ])("with %s a tenth of Infinity 2B's history takes %d MiB", (storage, mebibytes) => {
    expect((32 * 16 * 650 * bytesPerToken(storage, 16, 128)) / 2 ** 20).toBe(mebibytes);
  });
});

interface Sizes {
  readonly tokens: number;
  readonly rows: number;
  readonly heads: number;
  readonly dim: number;
}

/** The stored form of x [tokens, rows, heads · dim]: `data` and, for int8, `scale`. */
async function store(storage: StorageType, x: Float32Array, { tokens, rows, heads, dim }: Sizes): Promise<Tensors> {
  const shape = [tokens, rows, heads * dim];
  if (storage === "fp32") return { data: float32(x, shape) };
  const g = new GraphBuilder("narrow");
  const { data, scale } = narrow(g, storage, g.input("x", "float32", shape), dim);
  g.output("data", data, STORED_ELEMENT[storage], shape);
  if (scale) g.output("scale", scale, "float32", [tokens, rows, heads]);
  return runGraph(g, { x: float32(x, shape) });
}

/** What a layer's graph makes of stored keys. */
async function read(storage: StorageType, { data, scale }: Tensors, { heads, dim }: Sizes): Promise<Tensor> {
  const g = new GraphBuilder("widen");
  const stored = storedInput(g, "k", { storage, heads, dim });
  // A graph's output must come out of a node, which fp32 needs none of.
  const wide = g.node("Identity", [widen(g, storage, stored, dim)])[0];
  g.output("wide", wide, "float32", ["tokens", "rows", heads * dim]);
  const { wide: found } = await runGraph(g, { past_k: data!, ...(scale ? { past_k_scale: scale } : {}) });
  return found!;
}

/** Numbers of very different sizes, zeros among them, within what fp16 can hold. */
const number = fc.oneof(
  fc.constant(0),
  fc.float({ min: -1, max: 1, noNaN: true }),
  fc.float({ min: -60_000, max: 60_000, noNaN: true }),
  fc.float({ min: Math.fround(-1e-33), max: Math.fround(1e-33), noNaN: true }),
);
const size = fc.integer({ min: 1, max: 3 });
const tensors = fc.record({ tokens: size, rows: size, heads: size, dim: fc.constantFrom(2, 4) }).chain((sizes) => {
  const length = sizes.tokens * sizes.rows * sizes.heads * sizes.dim;
  const x = fc.array(number, { minLength: length, maxLength: length }).map((all) => Float32Array.from(all));
  return fc.record({ sizes: fc.constant(sizes), x });
});

describe("narrow and widen", () => {
  /** The largest error allowed of every element. */
  type Bounds = (x: Float32Array, stored: Tensors, dim: number) => Float64Array;

  async function expectWithin(storage: StorageType, bounds: Bounds): Promise<void> {
    await fc.assert(
      fc.asyncProperty(tensors, async ({ x, sizes }) => {
        const stored = await store(storage, x, sizes);
        const wide = await read(storage, stored, sizes);
        expect(wide.dims).toEqual([sizes.tokens, sizes.rows, sizes.heads * sizes.dim]);
        expect(values(wide)).toEqual(widened(stored.data!, stored.scale));
        const allowed = bounds(x, stored, sizes.dim);
        const excess = values(wide).map((value, i) => Math.abs(value - x[i]!) - allowed[i]!);
        expect(Math.max(...excess)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 60 },
    );
  }

  it("fp32 is exact", async () => {
    await expectWithin("fp32", (x) => new Float64Array(x.length));
  });

  it("fp16 is off by at most half of its last bit: 2⁻¹¹ of the number, or 2⁻²⁵ of numbers below 2⁻¹⁴", async () => {
    await expectWithin("fp16", (x) => Float64Array.from(x, (value) => Math.max(Math.abs(value) * 2 ** -11, 2 ** -25)));
  });

  // Rounding in float32, of the quotient (at most 127) and of the product, adds 2⁻¹⁷ of a scale each.
  it("int8 is off by at most half its head's scale, and zeros are exact", async () => {
    await expectWithin("int8", (x, { scale }, dim) =>
      Float64Array.from(x, (value, i) => (value === 0 ? 0 : values(scale!)[Math.floor(i / dim)]! * (0.5 + 2 ** -16))),
    );
  });

  it("int8 gives every head the scale of its own largest number", async () => {
    const x = Float32Array.of(127, -1, 0.25, -254, 0, 0, 2, 1);
    const { data, scale } = await store("int8", x, { tokens: 1, rows: 2, heads: 2, dim: 2 });
    expect(data).toMatchObject({ type: "int8", dims: [1, 2, 4] });
    // 0.25 · 127 / 254 is 0.125, and 1 · 127 / 2 is 63.5, a half that goes to the even 64.
    expect([...(data!.data as Int8Array)]).toEqual([127, -1, 0, -127, 0, 0, 127, 64]);
    expect(scale!.dims).toEqual([1, 2, 2]);
    expect([...values(scale!)]).toEqual([1, 2, Math.fround(1e-30 / 127), Math.fround(2 / 127)]);
  });

  it.each(STORAGE_TYPES)("an empty cache of %s widens to an empty one", async (storage) => {
    const empty: Record<StorageType, Tensors> = {
      fp32: { data: float32(new Float32Array(0), [0, 2, 8]) },
      fp16: { data: float16(new Uint16Array(0), [0, 2, 8]) },
      int8: { data: int8(new Int8Array(0), [0, 2, 8]), scale: float32(new Float32Array(0), [0, 2, 2]) },
    };
    const wide = await read(storage, empty[storage], { tokens: 0, rows: 2, heads: 2, dim: 4 });
    expect(wide.dims).toEqual([0, 2, 8]);
  });
});
