/**
 * What pictures are checked against: the drawings that a model has learned from, and the rules by which its training
 * composed scenes of them. `training/checker.py` writes them out of `training/scene.py` and `training/words.py`.
 */

/** Red, green and blue, 0 to 1. */
export type Colour = readonly [number, number, number];

/** A scene has one object, two different ones, or some of the same. */
export const KINDS = ["one", "two", "some"] as const;

/** One of {@link KINDS}. */
export type Kind = (typeof KINDS)[number];

/** How the first of two objects lies to the second. */
export const RELATIONS = ["left of", "above"] as const;

/** One of {@link RELATIONS}. */
export type Relation = (typeof RELATIONS)[number];

/** A square picture; `data` is [side, side, channels]. */
export interface Raster {
  readonly side: number;
  readonly data: Float32Array;
}

/** Four channels: colours 0 to 1, multiplied by alpha, and alpha. */
export const RGBA = 4;

/** One object in one style. */
export interface Drawing {
  readonly name: string;
  readonly style: string;
  /** [side, side, 4] */
  readonly sprite: Raster;
}

/** Where the objects of a kind of scene lie. */
export interface Layout {
  readonly kind: Kind;
  /** Null but for two objects. */
  readonly relation: Relation | null;
  /** Side of an object as a share of the picture's. */
  readonly size: number;
  /** Centres as shares of the picture's sides, x first. */
  readonly places: readonly (readonly [number, number])[];
}

/** Everything a checker knows. */
export interface Art {
  readonly drawings: readonly Drawing[];
  readonly layouts: readonly Layout[];
  /** Backgrounds by the words for them. */
  readonly colours: ReadonlyMap<string, Colour>;
}

/** A scene whose every part is settled. */
export interface Scene {
  readonly kind: Kind;
  /** Two for the kind `two`, the first one left of or above the other; otherwise one. */
  readonly names: readonly string[];
  /** 1, or 2 to 4 for the kind `some`. */
  readonly count: number;
  readonly relation: Relation | null;
  readonly style: string;
  /** One colour, or two of a gradient from top to bottom. */
  readonly background: readonly string[];
}
