/**
 * Reads a picture: which objects it shows where, in which style, on which background. Nothing of a prompt is known here.
 *
 * The background is read off the picture's rim. For every layout that scenes can have, every place is explained by the
 * drawing that fits best there; the layout that leaves the least of the picture unexplained is taken. Objects of a layout do not
 * overlap, so this is the nearest of all pictures that could be composed, two different styles or four different objects
 * included. A place is unclear where its drawing explains too little of it, or hardly more than another object would:
 * nothing at all, blobs and mixtures of two objects are unclear.
 */
import { OptionError } from "../../errors.js";
import { checkImage, COLOURS, MAX_LEVEL, sizeOf, type RgbImage } from "../../metrics/image.js";
import type { Art, Relation } from "./art.js";
import { backgroundNames, backgroundOf } from "./background.js";
import { energyIn, placesOf, see, SIDE, type Place, type SeenObject } from "./places.js";
import { areaMean } from "./raster.js";

/**
 * The most doubt that is let pass at a place, unexplained and rivalry taken together (`bench/checker.ts`). Scenes through
 * the autoencoder and back have 0.29 in the median, and 98 of 100 stay below the limit. Grey discs begin at 0.93: a cloud
 * explains much of one, but hardly more than others do. Of a blurred white cloud on white most stays unexplained, yet
 * nothing else comes near.
 */
const DOUBT = 0.9;

/**
 * The largest energy beside the places, as a share of the weakest object's: another object would be about as strong. Scenes
 * through the autoencoder stay below 0.2.
 */
const BESIDE = 0.3;

/** One object as it is seen. */
export interface ReadObject {
  readonly name: string;
  readonly style: string;
  /** Share of the place's energy that the drawing leaves unexplained; above 1 it is worse than no object. */
  readonly unexplained: number;
  /** The same share over that of the best drawing of another object; 1 says that either will do. */
  readonly rivalry: number;
}

/** What a picture shows. */
export interface Reading {
  /** From left to right, top row first. */
  readonly objects: readonly ReadObject[];
  /** How the first of two objects lies to the second; null where there are not two. */
  readonly relation: Relation | null;
  /** One colour's name, or two from top to bottom; undefined where the rim has none of the named colours. */
  readonly background: readonly string[] | undefined;
  /** Energy beside all objects as a share of the weakest one's; a little below 0 where their boxes overlap. */
  readonly beside: number;
  /** False where what is seen may as well be something else, or is not all there is. */
  readonly clear: boolean;
}

/** Reads square pictures of one size. */
export class SceneReader {
  private readonly layouts: readonly (readonly Place[])[];

  /** @param pixels side of the pictures, at least 32 */
  constructor(
    private readonly art: Art,
    private readonly pixels: number,
  ) {
    if (pixels < SIDE)
      throw new OptionError(`pictures of ${pixels}x${pixels}: ${SIDE}x${SIDE} at least can be checked`);
    this.layouts = art.layouts.map((layout) => placesOf(layout, art.drawings, pixels));
  }

  /** What a picture shows. @throws OptionError for a picture of another size */
  read(image: RgbImage): Reading {
    checkImage(image);
    if (image.width !== this.pixels || image.height !== this.pixels) {
      throw new OptionError(`a picture of ${sizeOf(image)} among those of ${this.pixels}x${this.pixels}`);
    }
    const levels = Float32Array.from(image.data, (level) => level / MAX_LEVEL);
    const picture = areaMean({ side: this.pixels, data: levels }, SIDE, COLOURS);
    const background = backgroundOf(picture);
    const whole = energyIn({ left: 0, top: 0, right: SIDE, bottom: SIDE }, picture, background);
    const explained = this.layouts.map((places) => places.map((place) => see(place, picture, background)));
    const seen = explained.reduce((a, b) => (restOf(b, whole) < restOf(a, whole) ? b : a));
    const objects = seen.map(readObject);
    const beside = besideOf(seen, whole) / Math.min(...seen.map(({ energy }) => energy));
    return {
      objects,
      relation: relationOf(seen),
      background: backgroundNames(background, this.art),
      beside,
      clear: objects.every(isClear) && beside <= BESIDE,
    };
  }
}

/** What a layout leaves unexplained of a picture: beside its places, and at them. */
function restOf(seen: readonly SeenObject[], whole: number): number {
  return besideOf(seen, whole) + sum(seen.map(({ rest }) => rest));
}

function besideOf(seen: readonly SeenObject[], whole: number): number {
  return whole - sum(seen.map(({ energy }) => energy));
}

function readObject({ drawing: { name, style }, energy, rest, nextRest }: SeenObject): ReadObject {
  // An empty place has no energy; every drawing there leaves infinitely much of it.
  return { name, style, unexplained: energy === 0 ? Infinity : rest / energy, rivalry: rest / nextRest };
}

function isClear({ unexplained, rivalry }: ReadObject): boolean {
  return unexplained + rivalry <= DOUBT;
}

/** Layouts list their places from left to right and from top to bottom. */
function relationOf(seen: readonly SeenObject[]): Relation | null {
  const [first, second, ...more] = seen;
  if (!first || !second || more.length > 0) return null;
  return first.centre[0] < second.centre[0] ? "left of" : "above";
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
