/**
 * What lies at each place of a layout: every drawing is laid over the picture's own background there, and the one that
 * leaves the least unexplained is what is seen.
 */
import { COLOURS } from "../../metrics/image.js";
import { RGBA, type Drawing, type Layout, type Raster } from "./art.js";
import { rowColour, type Background } from "./background.js";
import { areaMeanIn, boxAround, type Box } from "./raster.js";
import { placeSprite } from "./render.js";

/**
 * Pictures are compared at this side: fine enough to tell all drawings apart, and coarse enough that an edge which the
 * autoencoder blurred, or an object two pixels of 128 away, weighs little.
 */
export const SIDE = 32;

/** A place of a layout with every drawing as it looks there. */
export interface Place {
  readonly centre: readonly [number, number];
  readonly box: Box;
  readonly candidates: readonly Candidate[];
}

/** A drawing at a place: [height of the box, width of the box, 4]. */
interface Candidate {
  readonly drawing: Drawing;
  readonly data: Float32Array;
}

/** The best explanation of what lies at a place. Energies are sums of squares over pixels and colours of 0 to 1. */
export interface SeenObject {
  readonly centre: readonly [number, number];
  readonly drawing: Drawing;
  /** Of the difference to the background. */
  readonly energy: number;
  /** Of the difference to the drawing on the background. */
  readonly rest: number;
  /** {@link rest} of the best drawing with another name. */
  readonly nextRest: number;
}

/** The places of a layout, for pictures of `pixels` a side. */
export function placesOf(layout: Layout, drawings: readonly Drawing[], pixels: number): Place[] {
  return layout.places.map((centre) => {
    const box = boxAround(...centre, layout.size, SIDE);
    const candidates = drawings.map((drawing) => ({
      drawing,
      data: shrunk(drawing, centre, layout.size, pixels, box),
    }));
    return { centre, box, candidates };
  });
}

/** A drawing as pictures of `pixels` a side have it, made as small as they are made to be compared. */
function shrunk(
  { sprite }: Drawing,
  centre: readonly [number, number],
  size: number,
  pixels: number,
  box: Box,
): Float32Array {
  const { box: large, data } = placeSprite(sprite, centre, size, pixels);
  const canvas = new Float32Array(pixels * pixels * RGBA);
  const width = (large.right - large.left) * RGBA;
  for (let row = large.top; row < large.bottom; row++) {
    const line = data.subarray((row - large.top) * width, (row - large.top + 1) * width);
    canvas.set(line, (row * pixels + large.left) * RGBA);
  }
  return areaMeanIn(box, { side: pixels, data: canvas }, SIDE, RGBA);
}

/** What a picture of side {@link SIDE} shows at a place. */
export function see(place: Place, picture: Raster, background: Background): SeenObject {
  const { candidates, box, centre } = place;
  const rests = candidates.map(({ drawing, data }) => ({ drawing, rest: restAfter(data, box, picture, background) }));
  const best = rests.reduce((a, b) => (b.rest < a.rest ? b : a));
  const others = rests.filter(({ drawing }) => drawing.name !== best.drawing.name).map(({ rest }) => rest);
  return { centre, ...best, energy: energyIn(box, picture, background), nextRest: Math.min(...others) };
}

/** The energy of what a drawing on the background leaves unexplained in a box. */
function restAfter(sprite: Float32Array, { left, top, right, bottom }: Box, picture: Raster, back: Background): number {
  let [sum, at] = [0, 0];
  for (let row = top; row < bottom; row++) {
    const ground = [0, 1, 2].map((colour) => rowColour(back, row, SIDE, colour));
    for (let column = left; column < right; column++, at += RGBA) {
      const pixel = (row * SIDE + column) * COLOURS;
      const through = 1 - sprite[at + 3]!;
      for (let colour = 0; colour < COLOURS; colour++)
        sum += (picture.data[pixel + colour]! - ground[colour]! * through - sprite[at + colour]!) ** 2;
    }
  }
  return sum;
}

/** The energy of what the background leaves unexplained in a box. */
export function energyIn({ left, top, right, bottom }: Box, picture: Raster, background: Background): number {
  let sum = 0;
  for (let row = top; row < bottom; row++) {
    for (let colour = 0; colour < COLOURS; colour++) {
      const ground = rowColour(background, row, SIDE, colour);
      for (let column = left; column < right; column++)
        sum += (picture.data[(row * SIDE + column) * COLOURS + colour]! - ground) ** 2;
    }
  }
  return sum;
}
