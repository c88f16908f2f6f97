/** A model's checker: the pictures it draws are read by the drawings it has learned from. */
import { join } from "node:path";
import { OptionError } from "../../errors.js";
import { checkImage, sizeOf, type RgbImage } from "../../metrics/image.js";
import type { Art } from "./art.js";
import { CHECKER_FOLDER, readArt } from "./art-folder.js";
import type { Asked } from "./asked.js";
import { SceneReader, type Reading } from "./reader.js";
import { judge, type Verdict } from "./verdict.js";

/** What was seen in a picture, and whether it is what was asked for. */
export interface Checked extends Verdict {
  readonly reading: Reading;
}

/** Checks square pictures of any sizes; the first of a size takes the longest. */
export class Checker {
  private readonly readers = new Map<number, SceneReader>();

  constructor(readonly art: Art) {}

  /** @throws OptionError for a picture that is not square, or too small to tell anything from */
  check(image: RgbImage, asked: Asked): Checked {
    const reading = this.readerFor(image).read(image);
    return { ...judge(asked, reading), reading };
  }

  private readerFor(image: RgbImage): SceneReader {
    checkImage(image);
    if (image.width !== image.height)
      throw new OptionError(`a picture of ${sizeOf(image)}: only square ones are checked`);
    const reader = this.readers.get(image.width) ?? new SceneReader(this.art, image.width);
    this.readers.set(image.width, reader);
    return reader;
  }
}

/** The checker in a model's folder; undefined where there is none. Errors as of {@link readArt}. */
export async function openChecker(modelFolder: string): Promise<Checker | undefined> {
  const art = await readArt(join(modelFolder, CHECKER_FOLDER));
  return art && new Checker(art);
}
