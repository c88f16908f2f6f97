import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { noise, widened } from "../../test/support/cache.js";
import { runGraph } from "../../test/support/graph.js";
import { GraphBuilder } from "../graph/builder.js";
import { Cast } from "../graph/ops/index.js";
import type { Tensors } from "../runtime/session.js";
import { float16, float32, int8, values, type Tensor } from "../runtime/tensor.js";
import { narrow, spreadBasis, storedInput, widen } from "./storage-graph.js";
import { STORAGE_TYPES, STORED_ELEMENT, type StorageType } from "./storage.js";

interface Sizes {
  readonly tokens: number;
  readonly rows: number;
  readonly heads: number;
  readonly dim: number;
  /** Tokens with a second byte. Default 0. */
  readonly fine?: number;
}

/** The stored form of x [tokens, rows, heads · dim]: `data` and, for int8, `scale` and the `fine` of so many tokens. */
async function store(
  storage: StorageType,
  x: Float32Array,
  { tokens, rows, heads, dim, fine: places = 0 }: Sizes,
): Promise<Tensors> {
  const shape = [tokens, rows, heads * dim];
  if (storage === "fp32") return { data: float32(x, shape) };
  const g = new GraphBuilder("narrow");
  const count = g.ints([places]);
  const { data, scale, fine } = narrow(g, storage, g.input("x", "float32", shape), dim, { count });
  g.output("data", data, STORED_ELEMENT[storage], shape);
  if (scale) g.output("scale", scale, "float32", [tokens, rows, heads]);
  if (fine) g.output("fine", fine, "int8", ["fine", rows, heads * dim]);
  return runGraph(g, { x: float32(x, shape) });
}

/** What a layer's graph makes of stored keys, as float32 whatever it widened them to. */
async function read(
  storage: StorageType,
  { data, scale, fine }: Tensors,
  { heads, dim }: Sizes,
  wanted: "float32" | "float16" = "float32",
): Promise<Tensor> {
  const g = new GraphBuilder("widen");
  const stored = storedInput(g, "k", { storage, heads, dim });
  // A graph's output must come out of a node, which fp32 needs none of.
  const wide = Cast(g, widen(g, storage, stored, dim, wanted), "float32");
  g.output("wide", wide, "float32", ["tokens", "rows", heads * dim]);
  const ofInt8 = scale && fine ? { past_k_scale: scale, past_k_fine: fine } : {};
  const { wide: found } = await runGraph(g, { past_k: data!, ...ofInt8 });
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
const drawnSizes = fc.record({ tokens: size, rows: size, heads: size, dim: fc.constantFrom(2, 4), fine: fc.nat(3) });
const tensors = drawnSizes.chain((drawn) => {
  const sizes = { ...drawn, fine: Math.min(drawn.fine, drawn.tokens) };
  const length = sizes.tokens * sizes.rows * sizes.heads * sizes.dim;
  const x = fc.array(number, { minLength: length, maxLength: length }).map((all) => Float32Array.from(all));
  return fc.record({ sizes: fc.constant(sizes), x });
});

describe("narrow and widen", () => {
  /** The largest error allowed of every element. */
  type Bounds = (x: Float32Array, stored: Tensors, sizes: Sizes) => Float64Array;

  async function expectWithin(storage: StorageType, bounds: Bounds): Promise<void> {
    await fc.assert(
      fc.asyncProperty(tensors, async ({ x, sizes }) => {
        const stored = await store(storage, x, sizes);
        const wide = await read(storage, stored, sizes);
        expect(wide.dims).toEqual([sizes.tokens, sizes.rows, sizes.heads * sizes.dim]);
        expectClose(values(wide), widened(stored.data!, stored.scale, stored.fine), sizes.dim);
        const allowed = bounds(x, stored, sizes);
        const excess = values(wide).map((value, i) => Math.abs(value - x[i]!) - allowed[i]!);
        expect(Math.max(...excess)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 60 },
    );
  }

  /** Equal but for the order of float32 sums over a head's channels. */
  function expectClose(found: Float32Array, expected: Float32Array, dim: number): void {
    for (let head = 0; head < expected.length; head += dim) {
      const part = expected.subarray(head, head + dim);
      const off = part.map((value, i) => Math.abs(found[head + i]! - value));
      expect(Math.max(...off)).toBeLessThanOrEqual(1e-6 * Math.hypot(...part));
    }
  }

  it("fp32 is exact", async () => {
    await expectWithin("fp32", (x) => new Float64Array(x.length));
  });

  it("fp16 is off by at most half of its last bit: 2⁻¹¹ of the number, or 2⁻²⁵ of numbers below 2⁻¹⁴", async () => {
    await expectWithin("fp16", (x) => Float64Array.from(x, (value) => Math.max(Math.abs(value) * 2 ** -11, 2 ** -25)));
  });

  // Every coefficient is off by at most half a scale, so a head by √dim of it in length, and none of its channels by more.
  // Rounding in float32, of sums and of quotients up to 127, adds less than 2⁻¹⁴ of a scale.
  it("int8 is off by at most half its head's scale times √dim, with a second byte by a 254th of that, and heads of zeros are exact", async () => {
    await expectWithin("int8", (x, { scale, fine }, { dim }) =>
      Float64Array.from(x, (_, i) => {
        const head = Math.floor(i / dim);
        if (x.subarray(head * dim, (head + 1) * dim).every((value) => value === 0)) return 0;
        return values(scale!)[head]! * Math.sqrt(dim) * ((i < fine!.size ? 1 / 254 : 1) / 2 + 2 ** -14);
      }),
    );
  });

  it("int8 gives every head the scale of its own largest coefficient", async () => {
    const x = Float32Array.of(127, -1, 0.25, -254, 0, 0, 2, 1);
    const { data, scale } = await store("int8", x, { tokens: 1, rows: 2, heads: 2, dim: 2 });
    expect(data).toMatchObject({ type: "int8", dims: [1, 2, 4] });
    expect(scale!.dims).toEqual([1, 2, 2]);
    const basis = spreadBasis(2);
    for (let head = 0; head < 4; head++) {
      const [a, b] = x.subarray(2 * head, 2 * head + 2) as unknown as [number, number];
      const coefficients = [0, 1].map((wave) => a * basis[wave]! + b * basis[2 + wave]!);
      const largest = Math.max(1e-30, ...coefficients.map(Math.abs));
      expect(values(scale!)[head]).toBeCloseTo(largest / 127, 5);
      const levels = coefficients.map((value) => Math.round((127 * value) / largest) + 0);
      expect([...(data!.data as Int8Array).subarray(2 * head, 2 * head + 2)]).toEqual(levels);
    }
  });

  it("int8 keeps what it stored when it is narrowed again", async () => {
    const sizes = { tokens: 40, rows: 2, heads: 3, dim: 48, fine: 21 };
    const x = noise(sizes.tokens * sizes.rows * sizes.heads * sizes.dim, 7);
    const once = await store("int8", x, sizes);
    const again = values(await read("int8", once, sizes));
    const twice = await store("int8", again, sizes);
    expect(once.fine!.dims).toEqual([21, 2, 144]);
    const withoutFine = ({ data }: Tensors): Int8Array => (data!.data as Int8Array).subarray(21 * 2 * 144);
    expect(withoutFine(twice)).toEqual(withoutFine(once));
    // Half a level may be written as part of the one above or of the one below.
    expectClose(values(await read("int8", twice, sizes)), again, sizes.dim);
  });

  it("int8 spreads a channel that stands out over all of them", async () => {
    const sizes = { tokens: 64, rows: 1, heads: 1, dim: 48 };
    const x = noise(64 * 48, 3).map((value, i) => (i % 48 === 5 ? 20 * value : value));
    const wide = values(await read("int8", await store("int8", x, sizes), sizes));
    const error = Math.hypot(...wide.map((value, i) => value - x[i]!)) / Math.sqrt(x.length);
    // Scaled by the channel itself, numbers would be off by 20 / 127 / √12 = 0.045 in the mean of squares at most.
    expect(error).toBeLessThan(0.02);
  });

  it.each([1, 2, 3, 48, 128])("the basis of %i channels is orthonormal", (dim) => {
    const basis = spreadBasis(dim);
    for (let a = 0; a < dim; a++)
      for (let b = 0; b < dim; b++) {
        let product = 0;
        for (let i = 0; i < dim; i++) product += basis[a * dim + i]! * basis[b * dim + i]!;
        expect(product).toBeCloseTo(a === b ? 1 : 0, 5);
      }
  });

  it.each(STORAGE_TYPES)("what is stored in %s is rounded to float16 where attention is in that", async (storage) => {
    const sizes = { tokens: 3, rows: 2, heads: 2, dim: 4 };
    const stored = await store(storage, noise(48, 1), sizes);
    const [wide, half] = [await read(storage, stored, sizes), await read(storage, stored, sizes, "float16")];
    const off = values(wide).map((value, i) => Math.abs(value - values(half)[i]!) / Math.max(Math.abs(value), 1e-4));
    // Half of float16's last place; what is stored in float16 is exact.
    expect(Math.max(...off)).toBeLessThanOrEqual(storage === "fp16" ? 0 : 2 ** -11);
    if (storage !== "fp16") expect(Math.max(...off)).toBeGreaterThan(0);
  });

  it.each(STORAGE_TYPES)("an empty cache of %s widens to an empty one", async (storage) => {
    const empty: Record<StorageType, Tensors> = {
      fp32: { data: float32(new Float32Array(0), [0, 2, 8]) },
      fp16: { data: float16(new Uint16Array(0), [0, 2, 8]) },
      int8: {
        data: int8(new Int8Array(0), [0, 2, 8]),
        scale: float32(new Float32Array(0), [0, 2, 2]),
        fine: int8(new Int8Array(0), [0, 2, 8]),
      },
    };
    const wide = await read(storage, empty[storage], { tokens: 0, rows: 2, heads: 2, dim: 4 });
    expect(wide.dims).toEqual([0, 2, 8]);
  });
});
