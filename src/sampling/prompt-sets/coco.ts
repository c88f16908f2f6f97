/** COCO's caption annotations as published: `captions_val2017.json` and its like. */
import { z } from "zod";
import { OptionError } from "../../errors.js";
import { checked, checkedPrompt, parseJson } from "./check.js";
import { numberedEntry, type PromptEntry } from "./entry.js";
import type { Source } from "./source.js";

const FILE = z.object({ images: z.array(z.unknown()), annotations: z.array(z.unknown()) });
const IMAGE = z.object({ id: z.int() });
const ANNOTATION = z.object({ image_id: z.int(), caption: z.string() });

/** Whether a value has the outline of COCO's annotations. */
export function isCoco(value: unknown): boolean {
  return FILE.safeParse(value).success;
}

/**
 * One prompt an image, in the order of `images`: its first caption in the order of `annotations`, as in the set that
 * ScaleKV's scripts load. The seed is the image's place. Captions of images that the file does not list belong to no
 * prompt.
 *
 * @throws OptionError where the text is not such annotations, or an image is listed twice or has no caption
 */
export function parseCoco({ name, text }: Source): PromptEntry[] {
  const { images, annotations } = checked(parseJson(text, name), FILE, name);
  const captions = firstCaptions(annotations, name);
  const listed = new Set<number>();
  return images.map((image, place) => {
    const where = `${name}: images[${place}]`;
    const { id } = checked(image, IMAGE, where);
    if (listed.has(id)) throw new OptionError(`${where}: image ${id} is listed twice`);
    listed.add(id);
    const caption = captions.get(id);
    if (caption === undefined) throw new OptionError(`${where}: image ${id} has no caption`);
    return numberedEntry(checkedPrompt(caption, where), place);
  });
}

/** Image → caption. */
function firstCaptions(annotations: readonly unknown[], name: string): Map<number, string> {
  const captions = new Map<number, string>();
  for (const [i, annotation] of annotations.entries()) {
    const { image_id: image, caption } = checked(annotation, ANNOTATION, `${name}: annotations[${i}]`);
    if (!captions.has(image)) captions.set(image, caption);
  }
  return captions;
}
