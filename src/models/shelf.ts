/** Checkpoints that are opened while a model is put together; whoever made the shelf closes it. */
import { closeCheckpoint, type Checkpoint } from "../checkpoint/checkpoint.js";
import { ModelError } from "../errors.js";
import type { Tensors } from "./manifest.js";
import { findPart, PART_TITLES, partTensors, type ModelPart } from "./parts.js";

/** A checkpoint that holds a part of a model. */
export interface Candidate {
  /** Path or address. */
  readonly path: string;
  readonly part: ModelPart;
  /** By the names this project uses. */
  readonly tensors: Tensors;
}

/** Opens checkpoints and keeps them until it is closed itself. */
export class Shelf {
  private readonly opened: Checkpoint[] = [];

  /** `openCheckpoint` opens by path or by address: the shelf does not mind which. */
  constructor(private readonly openCheckpoint: (path: string) => Promise<Checkpoint>) {}

  /** Opens a checkpoint; undefined where it holds no part of a model. */
  async open(path: string): Promise<Candidate | undefined> {
    const checkpoint = await this.openCheckpoint(path);
    this.opened.push(checkpoint);
    const place = findPart(checkpoint.tensors);
    return place && { path, part: place.part, tensors: partTensors(checkpoint.tensors, place, path) };
  }

  /** Opens a checkpoint that must hold this part; another content is a {@link ModelError}. */
  async require(path: string, part: ModelPart): Promise<Candidate> {
    const candidate = await this.open(path);
    if (candidate?.part === part) return candidate;
    const found = candidate ? PART_TITLES[candidate.part] : "no part of a model";
    throw new ModelError(`${path}: expected ${PART_TITLES[part]}, found ${found}`);
  }

  /** Closes everything that was opened, wanted or not. */
  async close(): Promise<void> {
    await Promise.all(this.opened.splice(0).map(closeCheckpoint));
  }
}
