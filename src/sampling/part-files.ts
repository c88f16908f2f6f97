/**
 * Temporary files: what a picture is written to before it gets its name. The name of one says who writes it, so that the
 * files of dead processes can be told from those of the living.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../files/system-error.js";
import { sha256 } from "./hash.js";

/** `.scalekv-HOST-PID-RANDOM.part`: hidden, and short whatever the picture is called. */
const PART = /^\.scalekv-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.part$/;

/** Milliseconds after which a file of another machine, whose processes cannot be seen from here, counts as left behind. */
const FOREIGN_AGE = 24 * 60 * 60 * 1000;

/** A new temporary name for this process. */
export function partName(): string {
  return `.scalekv-${hostMark()}-${process.pid}-${randomUUID().slice(0, 8)}.part`;
}

/** Whether a file's name is one of {@link partName}'s. */
export function isPart(name: string): boolean {
  return PART.test(name);
}

/**
 * Whether nobody writes a temporary file any more. A file of this very process counts as left behind, by an earlier
 * process with the same number: ask before anything is written.
 */
export async function isAbandoned(folder: string, name: string): Promise<boolean> {
  const [, host, pid] = PART.exec(name) ?? [];
  if (host === undefined) return false;
  if (host === hostMark()) return Number(pid) === process.pid || !isAlive(Number(pid));
  const found = await stat(join(folder, name)).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > FOREIGN_AGE;
}

/** Host names may have any length and hold hyphens. */
function hostMark(): string {
  return sha256(hostname()).slice(0, 8);
}

/** Signal 0 reaches nobody and only tells whether there is somebody; another user's process answers EPERM. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
}
