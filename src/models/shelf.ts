/** Checkpoints found on disk and opened while a model is put together; whoever made the shelf closes it. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { closeCheckpoint, type Checkpoint } from "../checkpoint/checkpoint.js";
import { openCheckpoint } from "../checkpoint/open.js";
import { CheckpointError, ModelError } from "../errors.js";
import type { Tensors } from "./manifest.js";
import { lookAt } from "./paths.js";
import { findPart, PART_TITLES, partTensors, type ModelPart } from "./parts.js";

/** A checkpoint that holds a part of a model. */
export interface Candidate {
  readonly path: string;
  readonly part: ModelPart;
  /** By the names this project uses. */
  readonly tensors: Tensors;
}

/** What a folder holds. */
export interface FolderContents {
  readonly candidates: readonly Candidate[];
  /** Files that look like checkpoints and are of no use, with the reason. */
  readonly others: readonly string[];
}

/** Opens checkpoints and keeps them until it is closed itself. */
export class Shelf {
  private readonly opened: Checkpoint[] = [];

  /** Opens a checkpoint that must hold this part; another content is a {@link ModelError}. */
  async require(path: string, part: ModelPart): Promise<Candidate> {
    const candidate = await this.open(path);
    if (candidate?.part === part) return candidate;
    const found = candidate ? PART_TITLES[candidate.part] : "no part of a model";
    throw new ModelError(`${path}: expected ${PART_TITLES[part]}, found ${found}`);
  }

  /**
   * Opens every checkpoint in a folder and in the folders right below it. One that cannot be read does not stop the
   * search, since nobody may need it.
   */
  async search(folder: string): Promise<FolderContents> {
    const candidates: Candidate[] = [];
    const others: string[] = [];
    for (const path of await checkpointPaths(folder)) {
      try {
        const candidate = await this.open(path);
        if (candidate) candidates.push(candidate);
        else others.push(`${path}: no part of a model`);
      } catch (error) {
        if (!(error instanceof CheckpointError || error instanceof ModelError)) throw error;
        others.push(error.message);
      }
    }
    return { candidates, others };
  }

  /** Closes everything that was opened, wanted or not. */
  async close(): Promise<void> {
    await Promise.all(this.opened.splice(0).map(closeCheckpoint));
  }

  private async open(path: string): Promise<Candidate | undefined> {
    const checkpoint = await openCheckpoint(path);
    this.opened.push(checkpoint);
    const place = findPart(checkpoint.tensors);
    return place && { path, part: place.part, tensors: partTensors(checkpoint.tensors, place, path) };
  }
}

/** The checkpoints in a folder and in the folders right below it, in the order of their names. */
export async function checkpointPaths(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).sort();
  const paths = inOneFolder(folder, names);
  for (const name of names) {
    const below = join(folder, name);
    if ((await lookAt(below))?.folder) paths.push(...inOneFolder(below, (await readdir(below)).sort()));
  }
  return paths;
}

const INDEX = /\.(safetensors|bin)\.index\.json$/;
const CHECKPOINT = /\.(pth|pt|safetensors|bin)$/;

/** One of several files that an index joins. */
const SHARD = /-\d{5}-of-\d{5}\.\w+$/;

/**
 * The shards of an index are no checkpoints of their own, the index is. Repositories on the Hub hold the same weights
 * as `model.safetensors` and `pytorch_model.bin`; the first is taken.
 */
function inOneFolder(folder: string, names: readonly string[]): string[] {
  const whole = names.filter((name) => INDEX.test(name) || (CHECKPOINT.test(name) && !SHARD.test(name)));
  const twice = whole.some((name) => /^model\.safetensors(\.index\.json)?$/.test(name));
  return whole.filter((name) => !(twice && name.startsWith("pytorch_model.bin"))).map((name) => join(folder, name));
}
