/** The background of a picture, read off its left and right rims, which no object of a scene touches. */
import { COLOURS } from "../../metrics/image.js";
import type { Art, Colour, Raster } from "./art.js";

/** Share of the width that each rim takes. */
const RIM = 0.03;

/**
 * How far from a named colour its background may be, as a distance between colours of 0 to 1: half of what lies between
 * the two nearest of the training's twelve, so that no colour has two names.
 */
const NEAR = 0.15;

/** A picture's background at the upper and at the lower end. */
export interface Background {
  readonly top: Colour;
  readonly bottom: Colour;
}

/** The straight line, colour by colour, that is nearest to the rims from top to bottom (least squares). */
export function backgroundOf(picture: Raster): Background {
  const lines = [0, 1, 2].map((colour) => rimLine(picture, colour));
  const end = (down: number): Colour => lines.map(({ base, slope }) => base + slope * down) as unknown as Colour;
  return { top: end(0), bottom: end(1) };
}

/** Base and slope over 0 at the first row's centre to 1 at the last one's. */
function rimLine({ side, data }: Raster, colour: number): { base: number; slope: number } {
  const wide = Math.max(1, Math.round(RIM * side));
  const means = Array.from({ length: side }, (_, row) => {
    let sum = 0;
    for (let i = 0; i < wide; i++)
      sum += data[(row * side + i) * COLOURS + colour]! + data[(row * side + side - 1 - i) * COLOURS + colour]!;
    return sum / (2 * wide);
  });
  const mean = means.reduce((sum, value) => sum + value, 0) / side;
  let [along, squares] = [0, 0];
  for (const [row, value] of means.entries()) {
    const down = row / (side - 1) - 0.5;
    along += down * (value - mean);
    squares += down * down;
  }
  const slope = along / squares;
  return { base: mean - slope / 2, slope };
}

/** The colour at a row of a picture of `side` rows. */
export function rowColour({ top, bottom }: Background, row: number, side: number, colour: number): number {
  const down = row / (side - 1);
  return top[colour]! * (1 - down) + bottom[colour]! * down;
}

/** What the ends are called, one word where they are the same; undefined where a colour has no name. */
export function backgroundNames({ top, bottom }: Background, { colours }: Art): readonly string[] | undefined {
  const [first, last] = [nearestName(top, colours), nearestName(bottom, colours)];
  if (first === undefined || last === undefined) return undefined;
  return first === last ? [first] : [first, last];
}

function nearestName(colour: Colour, colours: Art["colours"]): string | undefined {
  const distances = [...colours].map(([name, [r, g, b]]) => {
    return { name, distance: Math.hypot(colour[0] - r, colour[1] - g, colour[2] - b) };
  });
  const nearest = distances.reduce((a, b) => (b.distance < a.distance ? b : a));
  return nearest.distance <= NEAR ? nearest.name : undefined;
}
