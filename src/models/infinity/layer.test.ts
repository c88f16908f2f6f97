import { describe, expect, it } from "vitest";
import { wave } from "../../../test/support/arrays.js";
import { storedTensor } from "../../../test/support/graph.js";
import type { StoredTensor } from "../../checkpoint/tensor.js";
import { CPU_TARGET, type GraphTarget } from "../../graph/model.js";
import { probeTarget } from "../../runtime/probe.js";
import { Session, type Tensors } from "../../runtime/session.js";
import { float32, int64, values, type Tensor } from "../../runtime/tensor.js";
import { lookupIn } from "../lookup.js";
import { buildLayer, buildLayerHalves, type LayerOptions } from "./layer.js";
import { pieceFeeds, type Pieces } from "./pieces.js";
import { infinityTensors } from "./tensors.js";

const CONFIG = {
  ...{ depth: 2, width: 16, heads: 2, hidden: 24, textChannels: 128, textLength: 8 },
  ...{ bits: 4, patchify: false, chunks: 1, levels: 13 },
};
const DIM = CONFIG.width / CONFIG.heads;
const ROWS = 3;
const TOKENS = 4;
const TEXT = 5;

const tensors = new Map(
  [...infinityTensors(CONFIG)].map(([name, shape], i) => {
    const { values: all } = wave(shape, i);
    return [name, storedTensor(name, { shape, values: all.map((value) => value / 4) })];
  }),
);

function feed(phase: number, ...shape: number[]): Tensor {
  return float32(Float32Array.from(wave(shape, phase).values), shape);
}

function feeds(past: number): Tensors {
  const { width } = CONFIG;
  return {
    x: feed(1, ROWS, TOKENS, width),
    modulation: feed(2, ROWS, 6, width),
    cos: feed(3, TOKENS, DIM / 2),
    sin: feed(4, TOKENS, DIM / 2),
    past_k: feed(5, past, ROWS, width),
    past_v: feed(6, past, ROWS, width),
    text_k: feed(7, ROWS, TEXT, width),
    text_v: feed(8, ROWS, TEXT, width),
    observers: int64([0, TOKENS - 1], [2]),
  };
}

const WHOLE: Pieces = { rows: [Array.from({ length: ROWS }, (_, row) => row)], tokens: [[0, TOKENS]] };
/** Row by row, half of the tokens at a time. */
const PIECES: Pieces = {
  rows: Array.from({ length: ROWS * 2 }, (_, i) => [i >> 1]),
  tokens: Array.from({ length: ROWS * 2 }, (_, i) => [(i % 2) * (TOKENS / 2), ((i % 2) + 1) * (TOKENS / 2)]),
};

/** The first `length` tokens of every text are its own: what a graph for the target takes to say so. */
function textOf(length: number, { loops }: GraphTarget): Tensors {
  const bias = Float32Array.from({ length: ROWS * TEXT }, (_, i) => (i % TEXT < length ? 0 : -1e9));
  if (!loops) return { text_bias: float32(bias, [ROWS, 1, 1, TEXT]) };
  const rows = Array.from({ length: ROWS }, (_, row) => row);
  return {
    text_starts: int64(
      rows.flatMap((row) => [row, 0]),
      [ROWS, 2],
    ),
    text_ends: int64(
      rows.flatMap((row) => [row + 1, length]),
      [ROWS, 2],
    ),
  };
}

async function run(
  past: number,
  options: LayerOptions,
  changed: Tensors = {},
  pieces = WHOLE,
  given: ReadonlyMap<string, StoredTensor> = tensors,
): Promise<Tensors> {
  const all = { ...feeds(past), ...textOf(TEXT, options.target), ...changed };
  if (!options.target.loops) return runHalves(CONFIG, given, options, all);
  const graph = await buildLayer(CONFIG, lookupIn(given, "memory"), 1, options);
  const session = await Session.create(graph, { device: "cpu" });
  try {
    return await session.run({ ...all, ...pieceFeeds(pieces) });
  } finally {
    await session.dispose();
  }
}

/** The last block as two graphs, the second for tokens up to each of `ends`. */
async function runHalves(
  config: typeof CONFIG,
  given: ReadonlyMap<string, StoredTensor>,
  options: LayerOptions,
  all: Tensors,
  ends: readonly number[] = [TOKENS],
): Promise<Tensors> {
  const halves = await buildLayerHalves(config, lookupIn(given, "memory"), config.depth - 1, options);
  const making = await Session.create(halves.making, { device: "cpu" });
  const reading = await Session.create(halves.reading, { device: "cpu" });
  const { x, modulation, text_k, text_v, text_bias, ...others } = all as Required<Tensors>;
  const made = await making.run({ x: x!, modulation: modulation!, ...others });
  const joined = Object.fromEntries(Object.entries(made).filter(([name]) => /^(q$|keys|values)/.test(name)));
  const rest = { x: x!, modulation: modulation!, text_k: text_k!, text_v: text_v!, text_bias: text_bias!, ...joined };
  let done = float32(new Float32Array(0), [ROWS, 0, config.width]);
  for (const [i, end] of ends.entries()) {
    done = (await reading.run({ ...rest, done, piece: int64([ends[i - 1] ?? 0, end], [2]) })).y!;
  }
  await Promise.all([making.dispose(), reading.dispose()]);
  return { ...made, y: done };
}

/** The channels of one head, [tokens, rows, dim]. */
function headOf(tensor: Tensor, head: number): Tensor {
  const [tokens = 0, rows = 0] = tensor.dims;
  const own = values(tensor).filter((_, i) => Math.floor(i / DIM) % CONFIG.heads === head);
  return float32(own, [tokens, rows, DIM]);
}

/** Angles of 0. */
function noRotation(): Tensors {
  const angles = [TOKENS, DIM / 2];
  const ones = new Float32Array(TOKENS * (DIM / 2)).fill(1);
  return { cos: float32(ones, angles), sin: float32(new Float32Array(ones.length), angles) };
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

const HOST: LayerOptions = { storage: "fp32", target: CPU_TARGET };
/** How this processor multiplies levels. */
const INTEGERS = await probeTarget("cpu", "w8a8");
/** A GPU whose fused attention is right. */
const HALVES: GraphTarget = { fusedAttention: true, loops: false, halves: true };
const DEVICE: LayerOptions = { storage: "fp32", target: { fusedAttention: false, loops: false } };
const HALVED: LayerOptions = { storage: "fp32", target: HALVES, weights: "q8" };

/** {@link feeds} where heads have caches of their own, or tokens may stand for several. */
function cached(past: number, { headwise, merging }: LayerOptions): Tensors {
  const { past_k, past_v, ...rest } = feeds(past) as Required<Tensors>;
  const bias = merging && { past_k_bias: feed(9, past, ROWS, CONFIG.heads) };
  if (!headwise) return { ...rest, past_k: past_k!, past_v: past_v!, ...bias };
  const heads = [past_k!, past_v!].flatMap((tensor, i) =>
    [0, 1].map((head) => [`past_${"kv"[i]!}.${head}`, headOf(tensor, head)] as const),
  );
  return { ...rest, ...Object.fromEntries(heads) };
}

describe("the graph of a block", () => {
  // Its numbers are checked against the published code in test/parity; here, that its two forms agree.
  it.each([0, 6])("gives the same with attention written in two ways, after %d cached tokens", async (past) => {
    const [host, device] = [await run(past, HOST), await run(past, DEVICE)];
    expect([host.y?.dims, device.y?.dims]).toEqual([
      [1, ROWS, TOKENS, CONFIG.width],
      [ROWS, TOKENS, CONFIG.width],
    ]);
    // Float32 rounding passes through sums of 24 products of numbers about 1.
    expect(largestDifference(values(device.y!), values(host.y!))).toBeLessThan(1e-5);
    for (const name of ["new_k", "new_v"]) expect(host[name]?.dims).toEqual([TOKENS, ROWS, CONFIG.width]);
  });

  it.each([HOST, DEVICE])("adds a bias to the keys only where it is not zero", async (options) => {
    const name = "blocks.1.sa.zero_k_bias";
    const keysWith = async (bias: number): Promise<Float32Array> => {
      const numbers = { shape: [CONFIG.width], values: new Array<number>(CONFIG.width).fill(bias) };
      const given = new Map([...tensors, [name, storedTensor(name, numbers)]]);
      return values((await run(0, options, noRotation(), WHOLE, given)).new_k!);
    };
    expect(tensors.has(name)).toBe(true);
    // Beside 10⁷ the products vanish, and every number of a key of length 1 is the same.
    const same = new Float32Array(TOKENS * ROWS * CONFIG.width).fill(1 / Math.sqrt(DIM));
    expect(largestDifference(await keysWith(1e7), same)).toBeLessThan(1e-5);
    const [none, hardlyAny] = [await keysWith(0), await keysWith(1e-30)];
    expect(none).toEqual(hardlyAny);
    expect(largestDifference(none, same)).toBeGreaterThan(0.1);
  });

  it("gives the same in pieces as at once", async () => {
    const [whole, pieces] = [await run(6, HOST), await run(6, HOST, {}, PIECES)];
    // Kernels for few rows may sum in another order.
    expect(largestDifference(values(pieces.y!), values(whole.y!))).toBeLessThan(1e-5);
    for (const name of ["new_k", "observed_attention", "observed_projected"]) {
      expect(values(pieces[name]!)).toEqual(values(whole[name]!));
    }
  });

  it.each([DEVICE, HALVED, { ...DEVICE, headwise: true }, { ...DEVICE, merging: true }])(
    "gives the same in pieces as at once on a target without loops: %o",
    async (options) => {
      const all = { ...cached(6, options), ...textOf(TEXT, options.target) };
      const [whole, pieces] = [
        await runHalves(CONFIG, tensors, options, all),
        await runHalves(CONFIG, tensors, options, all, [1, 3, TOKENS]),
      ];
      expect(pieces.y!.dims).toEqual([ROWS, TOKENS, CONFIG.width]);
      // Kernels for few rows may sum in another order; float16 rounds to 2⁻¹² on the way.
      expect(largestDifference(values(pieces.y!), values(whole.y!))).toBeLessThan(options === HALVED ? 1e-3 : 1e-5);
    },
  );

  it("gives the same where the heads of a row attend in several lanes", async () => {
    // Heads of 600 channels: each is a lane.
    const wide = { ...CONFIG, width: 1200, depth: 1 };
    const given = new Map(
      [...infinityTensors(wide)].map(([name, shape], i) => {
        const { values: all } = wave(shape, i);
        return [name, storedTensor(name, { shape, values: all.map((value) => value / 32) })];
      }),
    );
    const [dim, past] = [wide.width / wide.heads, 6];
    const tall = {
      ...{ x: feed(1, ROWS, TOKENS, wide.width), modulation: feed(2, ROWS, 6, wide.width) },
      ...{ cos: feed(3, TOKENS, dim / 2), sin: feed(4, TOKENS, dim / 2) },
      ...{ past_k: feed(5, past, ROWS, wide.width), past_v: feed(6, past, ROWS, wide.width) },
      ...{ text_k: feed(7, ROWS, TEXT, wide.width), text_v: feed(8, ROWS, TEXT, wide.width) },
      observers: int64([0], [1]),
    };
    const session = await Session.create(await buildLayer(wide, lookupIn(given, "memory"), 0, HOST), { device: "cpu" });
    const looped = await session.run({ ...tall, ...textOf(TEXT, HOST.target), ...pieceFeeds(WHOLE) });
    await session.dispose();
    const halves = await runHalves(wide, given, DEVICE, { ...tall, ...textOf(TEXT, DEVICE.target) });
    const [lanes, whole] = [values(looped.y!), values(halves.y!)];
    // Sums of 1200 products in another order, of results up to some hundreds.
    const largest = whole.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largestDifference(lanes, whole)).toBeLessThan(1e-5 * largest);
  }, 60_000);

  it("gives the same with a cache for each head", async () => {
    const whole = await run(6, HOST);
    const session = await Session.create(
      await buildLayer(CONFIG, lookupIn(tensors, "memory"), 1, { ...HOST, headwise: true }),
      { device: "cpu" },
    );
    const apart = await session.run({
      ...cached(6, { ...HOST, headwise: true }),
      ...textOf(TEXT, CPU_TARGET),
      ...pieceFeeds(PIECES),
    });
    await session.dispose();
    // Attention over heads apart sums in another order.
    expect(largestDifference(values(apart.y!), values(whole.y!))).toBeLessThan(1e-5);
    for (const name of ["new_k", "new_v", "observed_attention", "observed_projected"]) {
      for (const head of [0, 1]) {
        expect(values(apart[`${name}.${head}`]!)).toEqual(values(headOf(whole[name]!, head)));
      }
    }
  });

  const rounded = [
    // Levels of 8 and 4 bits are 1/127 and 1/7 of a block's largest value apart; errors average out over the products.
    { weights: "q8", tolerance: 0.03 },
    { weights: "w8a8", tolerance: 0.03, target: INTEGERS },
    { weights: "q4", tolerance: 0.4 },
    // Roundings to float16, on a device also of what attends.
    { weights: "fp16", tolerance: 2e-3 },
    { weights: "fp16", tolerance: 2e-3, target: HALVES },
    { weights: "q8", tolerance: 0.03, target: HALVES },
  ] as const;

  it.each(rounded)("gives nearly the same with its matrices in $weights", async ({ tolerance, ...changed }) => {
    const options = { ...HOST, ...changed };
    const [exact, y] = [values((await run(6, HOST)).y!), values((await run(6, options)).y!)];
    const length = (all: Float32Array): number => Math.hypot(...all);
    const difference = exact.map((value, i) => value - y[i]!);
    expect(length(difference) / length(exact)).toBeLessThan(tolerance);
    expect(length(difference)).toBeGreaterThan(0);
  });

  it("takes as many bytes of weights as it says", async () => {
    const bytes = async (weights: "fp32" | "q8"): Promise<number> =>
      (await buildLayer(CONFIG, lookupIn(tensors, "memory"), 1, { ...HOST, weights })).weightBytes;
    // Three of [16, 16] for queries, keys and values, three more, and the MLP's two.
    const matrices = [...new Array<[number, number]>(6).fill([16, 16]), [24, 16], [16, 24]] as const;
    const inBlocks = matrices.reduce((sum, [rows]) => sum + rows * (128 + 4), 0);
    const dense = matrices.reduce((sum, [rows, columns]) => sum + rows * columns * 4, 0);
    expect((await bytes("fp32")) - dense).toBe((await bytes("q8")) - inBlocks);
  });

  it("hands out the observers' queries in their two forms", async () => {
    const { observed_attention: attention, observed_projected: projected } = await run(2, HOST, noRotation());
    expect(attention?.dims).toEqual([2, ROWS, CONFIG.width]);
    expect(projected?.dims).toEqual([2, ROWS, CONFIG.width]);
    // As attention uses them, the heads of a query are as long as the head's scale; the bare products are not.
    const length = (queries: Float32Array, head: number): number =>
      Math.hypot(...queries.subarray(head * DIM, (head + 1) * DIM));
    const all = values(attention!);
    for (let head = 0; head < all.length / DIM; head++) {
      expect(length(all, head)).toBeCloseTo(length(all, head % CONFIG.heads), 5);
    }
    expect(length(values(projected!), 0)).not.toBeCloseTo(length(all, 0), 2);
  });

  it("caches keys whose heads have length 1", async () => {
    const keys = values((await run(2, HOST, noRotation())).new_k!);
    for (let head = 0; head < keys.length; head += DIM) {
      expect(Math.hypot(...keys.subarray(head, head + DIM))).toBeCloseTo(1, 6);
    }
  });

  it("lets a row see its own cache and text only", async () => {
    const { past_v: past, text_v: text } = feeds(6);
    /** The same tensor in row 1, another everywhere else. */
    const changed = (tensor: Tensor, rowOf: (place: number) => number): Tensor =>
      float32(
        values(tensor).map((value, i) => (rowOf(i) === 1 ? value : -value)),
        tensor.dims,
      );
    const others = {
      past_v: changed(past!, (place) => Math.floor(place / CONFIG.width) % ROWS),
      text_v: changed(text!, (place) => Math.floor(place / (TEXT * CONFIG.width))),
    };
    const [before, after] = [values((await run(6, HOST)).y!), values((await run(6, HOST, others)).y!)];
    const length = TOKENS * CONFIG.width;
    expect(after.subarray(length, 2 * length)).toEqual(before.subarray(length, 2 * length));
    expect(largestDifference(after.subarray(0, length), before.subarray(0, length))).toBeGreaterThan(0.01);
  });

  it.each([HOST, DEVICE])("does not read a text's padding", async (options) => {
    const own = textOf(3, options.target);
    const padded = values(feeds(0).text_v!).map((value, i) => (Math.floor(i / CONFIG.width) % TEXT < 3 ? value : 1e6));
    const found = await run(0, options, { ...own, text_v: float32(padded, [ROWS, TEXT, CONFIG.width]) });
    expect(values(found.y!)).toEqual(values((await run(0, options, own)).y!));
    expect(largestDifference(values((await run(0, options)).y!), values(found.y!))).toBeGreaterThan(0.01);
  });
});
