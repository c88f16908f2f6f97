import { describe } from "vitest";
import { at, sum, tabulate, wave } from "../../../test/support/arrays.js";
import { testOperators, type OperatorCase } from "../../../test/support/graph.js";
import { CPU_TARGET } from "../model.js";
import * as normalization from "./normalization.js";

const ROWS = 2;
const TOKENS = 3;
const WIDTH = 5;
/** Large enough to be seen where it is forgotten. */
const EPSILON = 0.01;
const X = wave([ROWS, TOKENS, WIDTH]);
const SCALE = wave([WIDTH], 1);
const BIAS = wave([WIDTH], 2);
/** Scale and shift of each row. */
const ROW_SCALE = wave([ROWS, 1, WIDTH], 3);
const ROW_SHIFT = wave([ROWS, 1, WIDTH], 4);

const mean = (r: number, t: number): number => sum(WIDTH, (i) => at(X, r, t, i)) / WIDTH;
const variance = (r: number, t: number): number => sum(WIDTH, (i) => (at(X, r, t, i) - mean(r, t)) ** 2) / WIDTH;
const squares = (r: number, t: number): number => sum(WIDTH, (i) => at(X, r, t, i) ** 2);
const standard = (r: number, t: number, i: number): number =>
  (at(X, r, t, i) - mean(r, t)) / Math.sqrt(variance(r, t) + EPSILON);

/** [rows, tokens, heads, dim]; the first token's first head is zeros. */
const VECTORS = tabulate([ROWS, TOKENS, 2, WIDTH], (r, t, h, i) =>
  t + h === 0 ? 0 : Math.sin(r + 2 * t + 3 * h + 5 * i) * 10 ** (h - 3),
);
const HEAD_SCALE = wave([2], 8);
const unit = (r: number, t: number, h: number, i: number): number =>
  at(VECTORS, r, t, h, i) / (Math.sqrt(sum(WIDTH, (j) => at(VECTORS, r, t, h, j) ** 2)) || 1);

const adaptive: OperatorCase = {
  inputs: [X, ROW_SCALE, ROW_SHIFT],
  build: (g, x, scale, shift) =>
    normalization.AdaptiveLayerNormalization(g, x, scale, shift, { width: WIDTH, epsilon: EPSILON }),
  expected: tabulate(X.shape, (r, t, i) => standard(r, t, i) * at(ROW_SCALE, r, 0, i) + at(ROW_SHIFT, r, 0, i)),
};

/** [batch, channels, length]; each channel of each item is normalised by itself, which here is the last axis again. */
const CHANNEL_SCALE = wave([TOKENS], 5);
const CHANNEL_BIAS = wave([TOKENS], 6);
/** Variances are positive. */
const CHANNEL_MEAN = wave([TOKENS], 7);
const CHANNEL_VARIANCE = tabulate([TOKENS], (t) => 0.5 + t);

describe("normalisations follow their definitions", () => {
  testOperators<keyof typeof normalization>({
    LayerNormalization: [
      {
        inputs: [X, SCALE, BIAS],
        build: (g, x, scale, bias) => normalization.LayerNormalization(g, x, scale, bias, EPSILON),
        expected: tabulate(X.shape, (r, t, i) => standard(r, t, i) * at(SCALE, i) + at(BIAS, i)),
      },
    ],
    AdaptiveLayerNormalization: [adaptive],
    RmsNormalization: [
      {
        inputs: [X, SCALE],
        build: (g, x, scale) => normalization.RmsNormalization(g, x, scale, EPSILON),
        expected: tabulate(
          X.shape,
          (r, t, i) => (at(X, r, t, i) / Math.sqrt(squares(r, t) / WIDTH + EPSILON)) * at(SCALE, i),
        ),
      },
    ],
    UnitVectors: [CPU_TARGET, { ...CPU_TARGET, loops: false }].flatMap((target) => [
      {
        inputs: [VECTORS, HEAD_SCALE],
        build: (g, x, scale) => normalization.UnitVectors(g, x, WIDTH, scale),
        expected: tabulate(VECTORS.shape, (r, t, h, i) => unit(r, t, h, i) * at(HEAD_SCALE, h)),
        target,
      },
      {
        inputs: [VECTORS],
        build: (g, x) => normalization.UnitVectors(g, x, WIDTH),
        expected: tabulate(VECTORS.shape, unit),
        target,
      },
    ]),
    LpNormalization: [
      {
        inputs: [X],
        build: normalization.LpNormalization,
        expected: tabulate(X.shape, (r, t, i) => at(X, r, t, i) / Math.sqrt(squares(r, t))),
      },
    ],
    InstanceNormalization: [
      {
        inputs: [X, CHANNEL_SCALE, CHANNEL_BIAS],
        build: (g, x, scale, bias) => normalization.InstanceNormalization(g, x, scale, bias, EPSILON),
        expected: tabulate(X.shape, (r, t, i) => standard(r, t, i) * at(CHANNEL_SCALE, t) + at(CHANNEL_BIAS, t)),
      },
    ],
    BatchNormalization: [
      {
        inputs: [X, CHANNEL_SCALE, CHANNEL_BIAS, CHANNEL_MEAN, CHANNEL_VARIANCE],
        build: (g, x, scale, bias, mean, variance) =>
          normalization.BatchNormalization(g, x, { scale: scale, bias: bias, mean: mean, variance: variance }, EPSILON),
        expected: tabulate(X.shape, (r, t, i) => {
          const standard = (at(X, r, t, i) - at(CHANNEL_MEAN, t)) / Math.sqrt(at(CHANNEL_VARIANCE, t) + EPSILON);
          return standard * at(CHANNEL_SCALE, t) + at(CHANNEL_BIAS, t);
        }),
      },
    ],
  });
});
