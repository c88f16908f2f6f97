/** A run's files in a folder on disk (Node only). Any number of processes may use one folder. */
import { link, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { SamplingError } from "../errors.js";
import { makeFolders } from "../files/make-folders.js";
import { readRegularFile } from "../files/read-file.js";
import { noSuchPath, systemCode } from "../files/system-error.js";
import { isAbandoned, isPart, partName } from "./part-files.js";
import type { Store, StoredFile } from "./store.js";

/** The folder need not exist: the first file makes it. */
export class FolderStore implements Store {
  constructor(readonly place: string) {}

  async get(path: string): Promise<Uint8Array | undefined> {
    return this.ifThere(path, "read", () => readRegularFile(this.at(path)));
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    await this.throughPart(path, bytes, async (part, file) => rename(part, file));
  }

  async create(path: string, bytes: Uint8Array): Promise<boolean> {
    return this.throughPart(path, bytes, async (part, file) => {
      // A link, unlike a rename, does not replace what is there.
      const made = await link(part, file).then(
        () => true,
        (error: unknown) => systemCode(error) !== "EEXIST" && Promise.reject(error as Error),
      );
      await rm(part);
      return made;
    });
  }

  async append(path: string, lines: string): Promise<void> {
    const file = this.at(path);
    await this.refusable(path, "written", async () => {
      await makeFolders(dirname(file));
      await writeDurably(file, "a", lines);
    });
  }

  async head(path: string): Promise<StoredFile | undefined> {
    const found = await this.ifThere(path, "read", () => stat(this.at(path)));
    return found?.isFile() ? { path, size: found.size } : undefined;
  }

  async list(prefix = ""): Promise<StoredFile[]> {
    const paths = (await this.paths()).filter((path) => path.startsWith(prefix));
    const files: StoredFile[] = [];
    for (const path of paths) {
      const file = await this.head(path);
      // A folder, or a temporary file that is gone by now.
      if (file) files.push(file);
    }
    return files;
  }

  async remove(path: string): Promise<void> {
    await this.refusable(path, "removed", () => rm(this.at(path), { force: true }));
  }

  async sweep(): Promise<void> {
    for (const path of await this.paths()) {
      const file = this.at(path);
      const name = basename(file);
      if (isPart(name) && (await isAbandoned(dirname(file), name))) await this.remove(path);
    }
  }

  private at(path: string): string {
    return join(this.place, ...path.split("/"));
  }

  /** Paths of everything in the folder, folders as well. */
  private async paths(): Promise<string[]> {
    const names = await this.ifThere("", "read", () => readdir(this.place, { recursive: true }));
    return (names ?? []).map((name) => name.split(sep).join("/"));
  }

  /** Writes a temporary file beside the wanted one and lets `finish` give it its name. */
  private async throughPart<T>(
    path: string,
    bytes: Uint8Array,
    finish: (part: string, file: string) => Promise<T>,
  ): Promise<T> {
    const file = this.at(path);
    const part = join(dirname(file), partName());
    return this.refusable(path, "written", async () => {
      await makeFolders(dirname(file));
      try {
        await writeDurably(part, "wx", bytes);
        const done = await finish(part, file);
        await syncFolder(dirname(file));
        return done;
      } catch (error) {
        await rm(part, { force: true });
        throw error;
      }
    });
  }

  private async ifThere<T>(path: string, verb: string, work: () => Promise<T>): Promise<T | undefined> {
    return this.refusable(path, verb, async () => {
      try {
        return await work();
      } catch (error) {
        if (noSuchPath(error)) return undefined;
        throw error;
      }
    });
  }

  /** The system's refusals as one line. */
  private async refusable<T>(path: string, verb: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const cause = { cause: error };
      throw new SamplingError(`${join(this.place, path)}: cannot be ${verb} (${systemCode(error)})`, cause);
    }
  }
}

/** Writes and waits until the disk has it. */
async function writeDurably(file: string, flags: string, data: string | Uint8Array): Promise<void> {
  const handle = await open(file, flags);
  try {
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A rename is durable once its folder is; Windows has no handle for one and sees to it by itself. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
