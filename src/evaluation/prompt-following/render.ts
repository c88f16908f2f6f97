/**
 * Scenes as pictures, as `training/scene.py` draws them: the same places, sizes, backgrounds and resampling. It is what
 * the model was shown, and so what a picture that follows its prompt looks like.
 */
import { OptionError } from "../../errors.js";
import { COLOURS, MAX_LEVEL, type RgbImage } from "../../metrics/image.js";
import { RGBA, type Art, type Colour, type Drawing, type Layout, type Raster, type Scene } from "./art.js";
import { areaMean, boxAround, sampleSprite, type Box } from "./raster.js";

/** Objects up to this size are drawn from copies of half the picture's side, which keeps edges clean. */
const SMALL = 0.55;

/** An object where it lies: [height of the box, width of the box, 4]. */
export interface PlacedSprite {
  readonly box: Box;
  readonly data: Float32Array;
}

/** The scene as a square picture. @throws OptionError for a name, style, colour or layout that the art lacks */
export function renderScene(art: Art, scene: Scene, side: number): RgbImage {
  const canvas = background(art, scene.background, side);
  for (const [drawing, place, size] of objectsOf(art, scene))
    composite(canvas, placeSprite(drawing.sprite, place, size, side));
  return { width: side, height: side, data: Uint8Array.from(canvas.data, (value) => Math.round(value * MAX_LEVEL)) };
}

/** What a scene places where. */
function objectsOf(
  art: Art,
  scene: Scene,
): (readonly [drawing: Drawing, place: readonly [number, number], size: number])[] {
  const { places, size } = layoutOf(art, scene);
  return places.map((place, i) => [drawingOf(art, scene.names[i % scene.names.length]!, scene.style), place, size]);
}

function layoutOf({ layouts }: Art, { kind, relation, names, count }: Scene): Layout {
  const objects = names.length * count;
  const fits = (one: Layout): boolean =>
    one.kind === kind && one.relation === relation && one.places.length === objects;
  return layouts.find(fits) ?? refuse(`a scene of ${objects} objects, kind ${kind}, relation ${relation ?? "none"}`);
}

function drawingOf({ drawings }: Art, name: string, style: string): Drawing {
  return (
    drawings.find((one) => one.name === name && one.style === style) ?? refuse(`a drawing of ${name} in ${style} style`)
  );
}

function refuse(what: string): never {
  throw new OptionError(`${what}: not among the drawings and layouts to check against`);
}

/** A plain fill, or a gradient from top to bottom: [side, side, 3]. */
function background({ colours }: Art, names: readonly string[], side: number): Raster {
  const ends = [names[0], names.at(-1)].map(
    (name = "no colour") => colours.get(name) ?? refuse(`a ${name} background`),
  );
  const [first, last] = ends as [Colour, Colour];
  const data = new Float32Array(side * side * COLOURS);
  for (let i = 0; i < data.length; i++) {
    const down = Math.floor(i / COLOURS / side) / (side - 1);
    data[i] = first[i % COLOURS]! * (1 - down) + last[i % COLOURS]! * down;
  }
  return { side, data };
}

/** A sprite stretched over a square of `size` around a place; both are shares of the picture's side. */
export function placeSprite(
  sprite: Raster,
  place: readonly [number, number],
  size: number,
  side: number,
): PlacedSprite {
  const copy = copyOf(sprite, size > SMALL ? side : Math.floor(side / 2));
  const box = boxAround(...place, size, side);
  const data = new Float32Array((box.right - box.left) * (box.bottom - box.top) * RGBA);
  let at = 0;
  for (let row = box.top; row < box.bottom; row++) {
    for (let column = box.left; column < box.right; column++, at += RGBA) {
      sampleSprite(copy, place, size, [column, row, side], data.subarray(at, at + RGBA));
    }
  }
  return { box, data };
}

/** Copies by sprite and side: one serves at all places. */
const copies = new WeakMap<Raster, Map<number, Raster>>();

function copyOf(sprite: Raster, side: number): Raster {
  const known = copies.get(sprite) ?? new Map<number, Raster>();
  const copy = known.get(side) ?? eightBits(areaMean(sprite, side, RGBA));
  copies.set(sprite, known.set(side, copy));
  return copy;
}

/** The training keeps its copies in bytes; a half becomes the even level, as PyTorch rounds it. */
function eightBits({ side, data }: Raster): Raster {
  return { side, data: data.map((value) => roundHalfToEven(Math.fround(value * MAX_LEVEL)) / MAX_LEVEL) };
}

function roundHalfToEven(value: number): number {
  const up = Math.round(value);
  return up - value === 0.5 && up % 2 === 1 ? up - 1 : up;
}

/** Lays a sprite over the canvas, in place. */
function composite(canvas: Raster, { box, data }: PlacedSprite): void {
  let at = 0;
  for (let row = box.top; row < box.bottom; row++) {
    for (let column = box.left; column < box.right; column++, at += RGBA) {
      const pixel = (row * canvas.side + column) * COLOURS;
      for (let colour = 0; colour < COLOURS; colour++)
        canvas.data[pixel + colour] = canvas.data[pixel + colour]! * (1 - data[at + 3]!) + data[at + colour]!;
    }
  }
}
