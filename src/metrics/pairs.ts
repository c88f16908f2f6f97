/** Two folders of pictures as pairs (Node only). */
import { readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { OptionError } from "../errors.js";
import { systemCode } from "../files/system-error.js";
import { COLOURS, sizeOf, type RgbImage } from "./image.js";

/** Two files of the same name. */
export interface PairFiles {
  /** The name without its ending. */
  readonly name: string;
  readonly a: string;
  readonly b: string;
}

/** The pictures of one name. */
export interface PicturePair extends PairFiles {
  readonly pictures: { readonly a: RgbImage; readonly b: RgbImage };
}

const PICTURE = /\.(png|jpe?g|webp)$/i;

/**
 * The pictures (png, jpg, webp) of two folders in the order of their names, each with the one of the same name in the
 * other folder; endings may differ. Other files, such as records of how they were drawn, and folders below are passed over.
 *
 * @throws OptionError for a folder that cannot be read or has no pictures, for two pictures of one name, and for a
 *   picture without a partner
 */
export async function pairFolders(a: string, b: string): Promise<PairFiles[]> {
  const [first, second] = [await picturesIn(a), await picturesIn(b)];
  requirePartners(first, second, b);
  requirePartners(second, first, a);
  return [...first].map(([name, file]) => ({ name, a: file, b: second.get(name)! }));
}

/** Files by name, sorted. */
async function picturesIn(folder: string): Promise<Map<string, string>> {
  const pictures = new Map<string, string>();
  for (const file of await filesIn(folder)) {
    const [name, path] = [basename(file, extname(file)), join(folder, file)];
    const other = pictures.get(name);
    if (other !== undefined) throw new OptionError(`${path}: ${other} has the same name; pictures pair by their names`);
    pictures.set(name, path);
  }
  if (pictures.size === 0) throw new OptionError(`${folder}: no pictures (.png, .jpg, .jpeg, .webp) in this folder`);
  return pictures;
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const files = entries.filter((entry) => !entry.isDirectory() && PICTURE.test(entry.name));
    return files.map(({ name }) => name).sort();
  } catch (error) {
    const code = systemCode(error);
    const reasons: Readonly<Record<string, string>> = { ENOENT: "no such folder", ENOTDIR: "is not a folder" };
    throw new OptionError(`${folder}: ${reasons[code] ?? `cannot be read (${code})`}`, { cause: error });
  }
}

/** Names the first picture that stands alone, and counts the rest. */
function requirePartners(files: Map<string, string>, others: Map<string, string>, folder: string): void {
  const [alone, ...more] = [...files].filter(([name]) => !others.has(name));
  if (!alone) return;
  const rest = more.length > 0 ? `; nor have ${more.length} more` : "";
  throw new OptionError(`${alone[1]}: has no partner in ${folder}${rest}`);
}

/**
 * Reads pairs one after the other, the next one while the caller works with this one, so that no more than two are held.
 *
 * @throws OptionError for a picture that cannot be read, and the signal's reason once it is aborted
 */
export async function* readPairs(files: readonly PairFiles[], signal?: AbortSignal): AsyncGenerator<PicturePair> {
  const ahead = (i: number): Promise<PicturePair> | undefined => {
    const pair = files[i] && readPair(files[i]);
    // Its error comes up where it is awaited; until then nobody else is to be told.
    pair?.catch(() => undefined);
    return pair;
  };
  let next = ahead(0);
  for (let i = 0; next; i++) {
    const pair = await next;
    signal?.throwIfAborted();
    next = ahead(i + 1);
    yield pair;
  }
}

async function readPair(files: PairFiles): Promise<PicturePair> {
  const [a, b] = [readPicture(files.a), readPicture(files.b)];
  // Where neither can be read, the first is the one to tell of.
  b.catch(() => undefined);
  return { ...files, pictures: { a: await a, b: await b } };
}

/**
 * The levels of a file as they are stored, which is how evaluation programs take them: a colour profile changes nothing
 * and transparency is dropped. `bytes` is its content where no disk of this machine has it. An unreadable file is an
 * `OptionError`.
 */
export async function readPicture(path: string, bytes?: Uint8Array): Promise<RgbImage> {
  const { default: sharp } = await import("sharp");
  try {
    const decoder = sharp(bytes ?? path, { ignoreIcc: true })
      .removeAlpha()
      .toColourspace("srgb")
      .raw();
    const { data, info } = await decoder.toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    if (info.channels !== COLOURS) throw new Error(`${info.channels} channels`);
    return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  } catch (error) {
    throw new OptionError(`${path}: cannot be read as a picture`, { cause: error });
  }
}

/** Refuses, by an `OptionError` that names the files, a pair whose pictures differ in size. */
export function requireEqualSizes({ a, b, pictures }: PicturePair): void {
  const sizes = [sizeOf(pictures.a), sizeOf(pictures.b)];
  if (sizes[0] === sizes[1]) return;
  throw new OptionError(`${b}: ${sizes[1]} pixels, but ${a} has ${sizes[0]}; pairs must have equal sizes`);
}
