/** Where a command's images go: checked before the model is touched, written once everything is drawn. */
import { OptionError } from "../errors.js";
import type { DrawnImage, DrawOptions } from "../generate/types.js";
import { checkWritable, encodingOf, makeFolder, numberedFiles, previewFile, writeImage } from "./image-file.js";
import type { Encoding } from "./image-file.js";
import { written, type WrittenImage } from "./report.js";

/** The flags that say where to. */
export interface OutputFlags {
  readonly out: string;
  readonly quality?: number;
  readonly previews?: string;
}

/** One file a prompt, and how it is encoded. */
export interface Outputs {
  readonly files: readonly string[];
  readonly encoding: Encoding;
  /** The folder of the previews, if they are wanted. */
  readonly previews: string | undefined;
}

/** Previews are small: losing nothing of them costs little. */
const PREVIEW_ENCODING: Encoding = { format: "png", quality: 100 };

/** The files for `count` prompts. What could not be written later is an `OptionError` now. */
export async function prepareOutputs(count: number, { out, quality, previews }: OutputFlags): Promise<Outputs> {
  const encoding = encodingOf(out, quality);
  const files = numberedFiles(out, count);
  for (const file of files) await checkWritable(file);
  if (previews !== undefined) await preparePreviews(previews, files);
  return { files, encoding, previews };
}

/** All images' previews lie in one folder, where those of `0/fox.png` and `1/fox.png` would be one. */
async function preparePreviews(folder: string, files: readonly string[]): Promise<void> {
  const first = files.map((file) => previewFile(folder, file, 0));
  const taken = first.find((file, i) => first.indexOf(file) < i);
  if (taken !== undefined)
    throw new OptionError(`--previews ${folder}: several images would have ${taken}; put {i} into the file's own name`);
  await makeFolder("--previews", folder);
}

/** Without a folder there is no writer, and the engine decodes nothing early. */
export function previewWriter({ files, previews }: Outputs): DrawOptions["onScale"] {
  if (previews === undefined) return undefined;
  return async ({ scale, images }) => {
    await Promise.all(
      images.map((image, i) => writeImage(previewFile(previews, files[i]!, scale), image, PREVIEW_ENCODING)),
    );
  };
}

/** Writes each image to its file. */
export async function writeImages(
  images: readonly DrawnImage[],
  { files, encoding }: Outputs,
): Promise<WrittenImage[]> {
  return Promise.all(
    images.map(async (image, i) => {
      await writeImage(files[i]!, image, encoding);
      return written(files[i]!, image);
    }),
  );
}
