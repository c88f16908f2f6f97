/**
 * The Inception v3 network that FID is defined by, as data: TensorFlow's of 2015-12-05, in the form and under the names
 * that pytorch-fid gave it. It is torchvision's `Inception3` but for its pooling: averages do not count the padding, and
 * the last block takes the maximum. Manifest and graph are both read off this one description.
 */

/** A convolution without bias, then batch norm, then ReLU. Pairs are height and width. */
export interface Convolution {
  readonly kind: "convolution";
  readonly name: string;
  readonly channels: number;
  readonly kernel: readonly [number, number];
  readonly stride: number;
  /** Zeros on either side. */
  readonly padding: readonly [number, number];
}

/** Windows of 3 × 3. */
export interface Pool {
  readonly kind: "max" | "average";
  readonly stride: number;
  readonly padding: number;
}

/** Branches on the same input, their channels joined in this order. */
export interface Fork {
  readonly kind: "fork";
  readonly branches: readonly (readonly Step[])[];
}

/** One step of the network or of a branch. */
export type Step = Convolution | Pool | Fork;

/** Features of a picture: the channels of the last block, averaged over its map. */
export const FEATURES = 2048;

/** Side of the picture the network takes, in pixels. */
export const INPUT_SIDE = 299;

/** Classes of the layer behind the features, which FID does not use; torchvision's own network has 1000. */
export const CLASSES = 1008;

const HALVE = { stride: 2, padding: 0 };
const KEEP = { stride: 1, padding: 1 };
const AVERAGE: Pool = { kind: "average", ...KEEP };
const HALVING_MAX: Pool = { kind: "max", ...HALVE };

/** A square kernel, which by itself keeps the size. */
function square(name: string, channels: number, side: number, { stride = 1, padding = (side - 1) / 2 } = {}): Step {
  return { kind: "convolution", name, channels, kernel: [side, side], stride, padding: [padding, padding] };
}

/** A kernel of one row. */
function wide(name: string, channels: number, width: number): Step {
  return { kind: "convolution", name, channels, kernel: [1, width], stride: 1, padding: [0, (width - 1) / 2] };
}

/** A kernel of one column. */
function tall(name: string, channels: number, height: number): Step {
  return { kind: "convolution", name, channels, kernel: [height, 1], stride: 1, padding: [(height - 1) / 2, 0] };
}

/** 35 × 35: kernels of 1, 5, and 3 twice; `pooled` channels behind the average. */
function blockA(name: string, pooled: number): Fork {
  const branches = [
    [square(`${name}.branch1x1`, 64, 1)],
    [square(`${name}.branch5x5_1`, 48, 1), square(`${name}.branch5x5_2`, 64, 5)],
    [
      square(`${name}.branch3x3dbl_1`, 64, 1),
      square(`${name}.branch3x3dbl_2`, 96, 3),
      square(`${name}.branch3x3dbl_3`, 96, 3),
    ],
    [AVERAGE, square(`${name}.branch_pool`, pooled, 1)],
  ];
  return { kind: "fork", branches };
}

/** From 35 × 35 to 17 × 17. */
function blockB(name: string): Fork {
  const branches = [
    [square(`${name}.branch3x3`, 384, 3, HALVE)],
    [
      square(`${name}.branch3x3dbl_1`, 64, 1),
      square(`${name}.branch3x3dbl_2`, 96, 3),
      square(`${name}.branch3x3dbl_3`, 96, 3, HALVE),
    ],
    [HALVING_MAX],
  ];
  return { kind: "fork", branches };
}

/** 17 × 17: kernels of 7 cut into a row and a column, `inner` channels between them. */
function blockC(name: string, inner: number): Fork {
  const branches = [
    [square(`${name}.branch1x1`, 192, 1)],
    [
      square(`${name}.branch7x7_1`, inner, 1),
      wide(`${name}.branch7x7_2`, inner, 7),
      tall(`${name}.branch7x7_3`, 192, 7),
    ],
    [
      square(`${name}.branch7x7dbl_1`, inner, 1),
      tall(`${name}.branch7x7dbl_2`, inner, 7),
      wide(`${name}.branch7x7dbl_3`, inner, 7),
      tall(`${name}.branch7x7dbl_4`, inner, 7),
      wide(`${name}.branch7x7dbl_5`, 192, 7),
    ],
    [AVERAGE, square(`${name}.branch_pool`, 192, 1)],
  ];
  return { kind: "fork", branches };
}

/** From 17 × 17 to 8 × 8. */
function blockD(name: string): Fork {
  const branches = [
    [square(`${name}.branch3x3_1`, 192, 1), square(`${name}.branch3x3_2`, 320, 3, HALVE)],
    [
      square(`${name}.branch7x7x3_1`, 192, 1),
      wide(`${name}.branch7x7x3_2`, 192, 7),
      tall(`${name}.branch7x7x3_3`, 192, 7),
      square(`${name}.branch7x7x3_4`, 192, 3, HALVE),
    ],
    [HALVING_MAX],
  ];
  return { kind: "fork", branches };
}

/** 8 × 8: kernels of 3 as a row beside a column. The two of them differ only in their pooling. */
function blockE(name: string, pool: Pool["kind"]): Fork {
  const crossed = (branch: string): Fork => ({
    kind: "fork",
    branches: [[wide(`${name}.${branch}a`, 384, 3)], [tall(`${name}.${branch}b`, 384, 3)]],
  });
  const branches = [
    [square(`${name}.branch1x1`, 320, 1)],
    [square(`${name}.branch3x3_1`, 384, 1), crossed("branch3x3_2")],
    [square(`${name}.branch3x3dbl_1`, 448, 1), square(`${name}.branch3x3dbl_2`, 384, 3), crossed("branch3x3dbl_3")],
    [{ kind: pool, ...KEEP }, square(`${name}.branch_pool`, 192, 1)],
  ];
  return { kind: "fork", branches };
}

/** The whole network, from a picture of 299 × 299 to a map of 8 × 8 with {@link FEATURES} channels. */
export const INCEPTION: readonly Step[] = [
  square("Conv2d_1a_3x3", 32, 3, HALVE),
  square("Conv2d_2a_3x3", 32, 3, { padding: 0 }),
  square("Conv2d_2b_3x3", 64, 3),
  HALVING_MAX,
  square("Conv2d_3b_1x1", 80, 1),
  square("Conv2d_4a_3x3", 192, 3, { padding: 0 }),
  HALVING_MAX,
  blockA("Mixed_5b", 32),
  blockA("Mixed_5c", 64),
  blockA("Mixed_5d", 64),
  blockB("Mixed_6a"),
  blockC("Mixed_6b", 128),
  blockC("Mixed_6c", 160),
  blockC("Mixed_6d", 160),
  blockC("Mixed_6e", 192),
  blockD("Mixed_7a"),
  blockE("Mixed_7b", "average"),
  blockE("Mixed_7c", "max"),
];
