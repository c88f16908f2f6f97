/**
 * One step of the autoencoder as a graph that computes a strip of its output from a strip of its input. A 3 × 3
 * convolution reads one row above and one below; the graph takes them from the neighbouring strips, which it is given
 * whole (no one copies them: a host tensor is read in place). Beyond the map's edge the rows are zeros.
 */
import { GraphBuilder, type Value } from "../../graph/builder.js";
import type { GraphModel } from "../../graph/model.js";
import * as op from "../../graph/ops/index.js";
import type { Lookup } from "../lookup.js";
import type { Step } from "./steps.js";

/** A slice's end that lies beyond any map. */
const TO_THE_END = 2 ** 31 - 1;

/** Which weights of a kernel's three rows meet the same row of the small map, in its even and in its odd rows: [2, 3]. */
const FOLDS = [Float32Array.of(1, 0, 0, 0, 1, 1), Float32Array.of(1, 1, 0, 0, 0, 1)];

/** A step's graph under construction, and where its weights come from. */
interface Part {
  readonly g: GraphBuilder;
  readonly weight: (name: string) => Value;
}

/** A strip and the two rows around it, ready for the convolution: [1, C, rows, width] and [1, C, 1, width]. */
interface Surrounded {
  readonly above: Value;
  readonly strip: Value;
  readonly below: Value;
}

/**
 * Inputs: `x` [1, into, rows, width], its neighbours `above` and `below`, and `inside` [2], 1 where there is such a
 * neighbour and 0 at the map's edge (any strip may then stand in); with a norm, `factor` and `shift` [into, 1, 1]; where
 * the step adds, `kept` as large as the output.
 *
 * Outputs: `y` [1, out, rows, width], halved or doubled with the size; where they double, it has the first `split` [1]
 * rows, and `rest` those below. With a 1 × 1 convolution to keep, `keep`. Where `measured`, the mean of every row and
 * its summed squared deviation, `mean` and `deviation` [1, out, all rows, 1].
 */
export function buildStep(step: Step, lookup: Lookup, measured: boolean): Promise<GraphModel> {
  const g = new GraphBuilder(`VAE ${step.conv}`);
  const part: Part = { g, weight: (name) => g.weight(lookup(name)) };
  const x = g.input("x", "float32", [1, step.into, "rows", "width"]);
  const convolved = convolve(part, step, surround(part, step, x));
  const summed = step.adds
    ? op.Add(g, g.input("kept", "float32", [1, step.out, "out_rows", "out_width"]), convolved)
    : convolved;
  const y = step.clips ? op.Clip(g, summed, -1, 1) : summed;
  if (step.size === "double") splitRows(g, y, step.out);
  else g.output("y", y, "float32", [1, step.out, "out_rows", "out_width"]);
  if (typeof step.keep === "object") {
    g.output("keep", conv(part, step.keep.conv, x), "float32", [1, step.out, "rows", "width"]);
  }
  if (measured) measure(g, y, step.out);
  return g.build();
}

/** The strip and its two rows, normalised. Zeros beyond the edge are what the convolution sees, so they come last. */
function surround({ g }: Part, { into, norm }: Step, x: Value): Surrounded {
  const affine = norm === undefined ? undefined : [channelValues(g, "factor", into), channelValues(g, "shift", into)];
  const normSilu = (value: Value): Value =>
    affine ? op.Silu(g, op.Add(g, op.Mul(g, value, affine[0]!), affine[1]!)) : value;
  const inside = g.input("inside", "float32", [2]);
  const neighbour = (name: string, edge: number, start: number, end: number): Value => {
    const row = op.Slice(g, g.input(name, "float32", [1, into, `rows_${name}`, "width"]), 2, start, end);
    return op.Mul(g, normSilu(row), op.Slice(g, inside, 0, edge, edge + 1));
  };
  return {
    above: neighbour("above", 0, -1, TO_THE_END),
    strip: normSilu(x),
    below: neighbour("below", 1, 0, 1),
  };
}

function channelValues(g: GraphBuilder, name: string, channels: number): Value {
  return g.input(name, "float32", [channels, 1, 1]);
}

function convolve(part: Part, { conv: name, size }: Step, { above, strip, below }: Surrounded): Value {
  const { g } = part;
  switch (size) {
    case "same":
      return conv(part, name, op.Concat(g, [above, strip, below], 2), { padding: [0, 1, 0, 1] });
    case "halve":
      // The zeros are on the right and below only, so that the row above is not read.
      return conv(part, name, op.Concat(g, [strip, below], 2), { stride: 2, padding: [0, 0, 0, 1] });
    case "double":
      return enlarge(part, name, { above, strip, below });
  }
}

/**
 * Nearest-neighbour doubling and a 3 × 3 convolution in one. Of the three rows that the kernel sees two are the same, so
 * each of the four places a position becomes is a 2 × 2 convolution of the small map with sums of the kernel's weights:
 * 4/9 of the operations, and the enlarged map is never held.
 *
 * Both columns come from the windows between the small map's columns, of which there is one more than columns: a window's
 * left neighbour owns its odd place, the right one its even place, and what the outermost two have outside is cut off.
 */
function enlarge({ g, weight }: Part, name: string, { above, strip, below }: Surrounded): Value {
  const kernel = weight(`${name}.conv.weight`); // [out, into, 3, 3]
  const bias = weight(`${name}.conv.bias`);
  const [even, odd] = FOLDS.map((fold) => g.constant("float32", [2, 3], fold)) as [Value, Value];
  const places = [even, odd].map((fold) => {
    const rows = op.Concat(g, fold === even ? [above, strip] : [strip, below], 2);
    const folded = op.MatMul(g, fold, kernel); // [out, into, 2, 3]
    const columns = [odd, even].map((across) => op.MatMul(g, folded, op.Transpose(g, across, [1, 0])));
    return op.Conv(g, rows, op.Concat(g, columns, 0), op.Concat(g, [bias, bias], 0), { padding: [0, 1, 0, 1] });
  }); // [1, 2 · out, rows, width + 1] for the even rows and for the odd ones
  return op.Slice(g, op.DepthToSpace(g, op.Concat(g, places, 1), 2), 3, 1, -1);
}

/** Doubled rows as two strips, so that those of a large map do not grow with it. */
function splitRows(g: GraphBuilder, y: Value, channels: number): void {
  const split = g.input("split", "int64", [1]);
  g.output("y", op.Slice(g, y, 2, 0, split), "float32", [1, channels, "split_rows", "out_width"]);
  g.output("rest", op.Slice(g, y, 2, split, TO_THE_END), "float32", [1, channels, "rest_rows", "out_width"]);
}

/** A convolution by name. */
function conv({ g, weight }: Part, name: string, x: Value, options?: Parameters<typeof op.Conv>[4]): Value {
  return op.Conv(g, x, weight(`${name}.conv.weight`), weight(`${name}.conv.bias`), options);
}

/** What a norm needs to know of the rows of y. Deviations are from the row's own mean: sums of squares would cancel. */
function measure(g: GraphBuilder, y: Value, channels: number): void {
  const mean = op.ReduceMean(g, y, 3);
  const shape = [1, channels, "out_rows", 1];
  g.output("mean", mean, "float32", shape);
  g.output("deviation", op.ReduceSumSquare(g, op.Sub(g, y, mean), 3), "float32", shape);
}
