/**
 * Weights in 8 and 4 bits, kept on disk from one run to the next: making them of a checkpoint takes longer than everything else
 * that loading does, and a file is mapped where a copy in memory would be read. One file for each graph, named by a hash of
 * all that its bytes depend on. Files that were not used for the longest time make room for new ones; those of the last
 * minutes stay, as a process may be about to map them, and what has no room beside them is not kept.
 */
import { lstat, readdir, realpath, rm, utimes } from "node:fs/promises";
import { basename, join } from "node:path";
import { OptionError } from "../errors.js";
import { makeFolders } from "../files/make-folders.js";
import { systemCode } from "../files/system-error.js";
import type { KeptWeights, WeightsStore } from "../graph/externals.js";
import { userCache, variable } from "./environment.js";
import { HEADER_BYTES, ignoreMissing, isWhole, weightsFileKind, weightsFileName, writeWhole } from "./weights-file.js";

/** Names the folder; default: `scalekv` in `XDG_CACHE_HOME` or `~/.cache`. */
export const FOLDER_VARIABLE = "SCALEKV_CACHE";
/** Says how much may be kept, such as `4GiB`. */
export const LIMIT_VARIABLE = "SCALEKV_CACHE_LIMIT";

/** Both sizes of the published model in 8 bits, and room for others. */
const DEFAULT_LIMIT = 16 * 2 ** 30;
const UNITS: Readonly<Record<string, number>> = { MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** A file under way that is older than this many milliseconds was left behind by a process that died. */
const ABANDONED = 3_600_000;
/** Milliseconds in which a file stays after it was handed out: more than any session takes to map it. */
const IN_USE = 300_000;

/** How weights are kept. */
export interface WeightsFolderOptions {
  readonly folder: string;
  /** Bytes of all files together; 0 keeps nothing. */
  readonly limit: number;
}

/** The folder and the limit that the environment names. A limit that is no size is an {@link OptionError}. */
export function weightsFolderOptions(environment = process.env): WeightsFolderOptions {
  const cache = variable(FOLDER_VARIABLE, environment) ?? join(userCache(FOLDER_VARIABLE, environment), "scalekv");
  const folder = join(cache, "weights");
  const wanted = variable(LIMIT_VARIABLE, environment);
  return { folder, limit: wanted === undefined ? DEFAULT_LIMIT : parseLimit(wanted) };
}

function parseLimit(text: string): number {
  if (text === "0") return 0;
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(MiB|GiB|TiB)$/.exec(text) ?? [];
  if (number !== undefined) return Number(number) * (UNITS[unit] ?? NaN);
  throw new OptionError(`${LIMIT_VARIABLE} ${text}: not a size, such as 512MiB or 16GiB`);
}

/** A folder of kept weights; see the file's head. */
export class WeightsFolder implements WeightsStore {
  /** Of another user's file the time cannot be set, so it does not tell other stores; this one keeps it all the same. */
  private readonly handedOut = new Set<string>();
  private tidied: Promise<unknown> | undefined;

  /** Default: what the environment says, asked when something is kept. */
  constructor(private readonly chosen?: WeightsFolderOptions) {}

  /**
   * The file for an identity; made if need be, undefined where it has no room. A folder that cannot be written to is an
   * {@link OptionError}.
   */
  async keep(identity: string, size: number, make: () => Promise<Uint8Array>): Promise<KeptWeights | undefined> {
    const { limit } = this.options;
    const room = limit - HEADER_BYTES - size;
    // Once a model, though everything be there: the limit may be a lower one than last time.
    await (this.tidied ??= this.explained(() => makeRoom(this.options.folder, limit)));
    if (room < 0) return undefined;
    const folder = await this.prepared();
    const path = join(folder, weightsFileName(identity));
    if (!(await this.explained(() => isUsable(path, size)))) {
      if (!(await this.explained(() => makeRoom(folder, room, { path, inUse: this.handedOut })))) return undefined;
      const data = await make();
      await this.explained(() => writeWhole(path, data));
    }
    this.handedOut.add(path);
    return { path, offset: HEADER_BYTES };
  }

  /** Makes the folder, so that one that cannot be made, or a limit that is no size, is refused before any work is done. */
  async check(): Promise<void> {
    if (this.options.limit > 0) await this.prepared();
  }

  private get options(): WeightsFolderOptions {
    return this.chosen ?? weightsFolderOptions();
  }

  private async prepared(): Promise<string> {
    const { folder } = this.options;
    return this.explained(async () => {
      await makeFolders(folder);
      return realpath(folder);
    });
  }

  /** Errors of the system in one line that says what to do. */
  private async explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const code = systemCode(error);
      const hint = `${FOLDER_VARIABLE} names another place, --no-weights-cache goes without`;
      throw new OptionError(`${this.options.folder}: weights cannot be kept there (${code}); ${hint}`, {
        cause: error,
      });
    }
  }
}

/** Whether a file is there and whole; if so, nobody removes it in the next minutes. */
async function isUsable(path: string, size: number): Promise<boolean> {
  // First the time, so that whoever makes room sees it before the file is found; another user's cannot be set.
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
  return isWhole(path, size);
}

/**
 * Removes files until those that stay take at most `room` bytes beside the one at `path`, the longest unused first, and what
 * dead processes left. Tells whether there is that much room now.
 */
async function makeRoom(
  folder: string,
  room: number,
  { path, inUse }: { readonly path?: string; readonly inUse?: ReadonlySet<string> } = {},
): Promise<boolean> {
  const names = (await readdir(folder).catch(ignoreMissing)) ?? [];
  const files = await Promise.all(names.filter(weightsFileKind).map((name) => described(join(folder, name))));
  const others = files.flatMap((file) => file ?? []).filter((file) => file.path !== path);
  let bytes = others.reduce((sum, { size }) => sum + size, 0);
  for (const file of others.toSorted((a, b) => a.used - b.used)) {
    const wanted = bytes > room || isUnderWay(file.path);
    if (wanted && !inUse?.has(file.path) && (await removeUnused(file.path))) bytes -= file.size;
  }
  return bytes <= room;
}

/** Removes a file unless somebody uses it; tells whether it is gone. */
async function removeUnused(path: string): Promise<boolean> {
  // Looked at again: another process may have been handed it since.
  const file = await described(path);
  const grace = isUnderWay(path) ? ABANDONED : IN_USE;
  // A time far ahead is a clock's mistake and holds nothing back.
  if (!file) return true;
  if (Math.abs(Date.now() - file.used) < grace) return false;
  await rm(path, { force: true });
  return true;
}

function isUnderWay(path: string): boolean {
  return weightsFileKind(basename(path)) === "under way";
}

/** A file's size and when it was last of use; undefined for what is no file, and if another process was faster to remove it. */
async function described(path: string): Promise<{ path: string; size: number; used: number } | undefined> {
  const found = await lstat(path).catch(ignoreMissing);
  return found?.isFile() ? { path, size: found.size, used: found.mtimeMs } : undefined;
}
