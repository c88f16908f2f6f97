/**
 * Two-dimensional rotary angles. Positions of every scale are spread over one common grid, so that a token of a coarse
 * map carries the angles of the place it stands for ("normalised" mode 2 of the published code).
 */

/** A map's size in tokens. */
interface MapSize {
  readonly height: number;
  readonly width: number;
}

/** Cosines and sines, [tokens, dim / 2] each. */
export interface RotaryTables {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

const BASE = 10000;

/**
 * Tables for the tokens of `map`, row by row: the first dim / 4 angles belong to the height, the rest to the width.
 * `grid` is the last map of the ratio's `1M` schedule, whatever size is drawn.
 */
export function rotaryTables(map: MapSize, grid: MapSize, dim: number): RotaryTables {
  const quarter = dim / 4;
  const half = dim / 2;
  const frequencies = Float32Array.from({ length: quarter }, (_, i) => 1 / BASE ** ((2 * i) / half));
  const cos = new Float32Array(map.height * map.width * half);
  const sin = new Float32Array(cos.length);
  for (let row = 0, at = 0; row < map.height; row++) {
    const y = gridPosition(row, grid.height, map.height);
    for (let column = 0; column < map.width; column++) {
      const x = gridPosition(column, grid.width, map.width);
      for (let i = 0; i < half; i++, at++) {
        const angle = Math.fround(i < quarter ? y * frequencies[i]! : x * frequencies[i - quarter]!);
        cos[at] = Math.cos(angle);
        sin[at] = Math.sin(angle);
      }
    }
  }
  return { cos, sin };
}

/** index · gridSize / mapSize, in float32 and rounded half to even, as PyTorch computes it. */
export function gridPosition(index: number, gridSize: number, mapSize: number): number {
  const exact = Math.fround(index * Math.fround(gridSize / mapSize));
  const floor = Math.floor(exact);
  const rest = exact - floor;
  if (rest !== 0.5) return Math.round(exact);
  return floor % 2 === 0 ? floor : floor + 1;
}
