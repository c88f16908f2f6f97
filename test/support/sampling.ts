/** Sampling folders as tests of the command see them. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Everything that must not depend on how a run went: by relative path, the pictures, the manifest and the task list. */
export async function lasting(folder: string): Promise<Map<string, string>> {
  const names = (await readdir(folder)).filter((name) => name !== "records").sort();
  const files = names.map(async (name) => [name, await readFile(join(folder, name), "base64")] as const);
  return new Map(await Promise.all(files));
}

/** The lines of all ledgers, as far as they are whole. */
export async function ledgerLines(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, "records")).catch(() => []);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, "records", name), "utf8")));
  return texts.flatMap((text) => text.split("\n").slice(0, -1));
}

/** Waits until something is there. */
export async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
