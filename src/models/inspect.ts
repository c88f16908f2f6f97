/** What checkpoints hold, without reading a single weight. */
import { closeCheckpoint, type Checkpoint, type CheckpointFormat } from "../checkpoint/checkpoint.js";
import { openCheckpoint } from "../checkpoint/open.js";
import { byteLength, elementCount, type DType } from "../checkpoint/tensor.js";
import { ModelError } from "../errors.js";
import { NESTINGS, recognise } from "./parts.js";
import { lookAt } from "./paths.js";
import { checkpointPaths } from "./search.js";

/** One tensor, as a listing shows it. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** What all tensors of one dtype add up to. */
export interface DTypeTotal {
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

/** One checkpoint. */
export interface Inspection {
  readonly path: string;
  readonly format: CheckpointFormat;
  /** Which part of which published model this is; null where it is none this project knows. */
  readonly model: string | null;
  /** Why this project does not run it, where it looks like a part of a model. */
  readonly refused?: string;
  /** Dictionaries of publishers and training scripts that lie around tensors: `vae`, `ema`, `trainer.gpt_fsdp`. */
  readonly nestings: readonly string[];
  readonly totals: Readonly<Partial<Record<DType, DTypeTotal>>>;
  readonly tensors: readonly TensorEntry[];
}

/**
 * Lists a checkpoint, or every checkpoint in a folder and right below it. A damaged file is a `CheckpointError`, a
 * folder without checkpoints a {@link ModelError}.
 */
export async function inspect(path: string): Promise<Inspection[]> {
  const paths = (await lookAt(path))?.folder ? await checkpointPaths(path) : [path];
  if (paths.length === 0) throw new ModelError(`${path}: no checkpoint in this folder`);
  const inspections: Inspection[] = [];
  for (const each of paths) {
    const checkpoint = await openCheckpoint(each);
    try {
      inspections.push(describe(checkpoint));
    } finally {
      await closeCheckpoint(checkpoint);
    }
  }
  return inspections;
}

function describe({ path, format, tensors }: Checkpoint): Inspection {
  const entries = [...tensors].map(([name, tensor]) => ({
    name,
    dtype: tensor.dtype,
    shape: tensor.shape,
    bytes: byteLength(tensor),
  }));
  const nestings = NESTINGS.filter((nesting) => entries.some(({ name }) => name.startsWith(`${nesting}.`)));
  return { path, format, ...named(tensors, path), nestings, totals: totalsOf(entries), tensors: entries };
}

/** The model's name, or the reason why it is refused. */
function named(tensors: Checkpoint["tensors"], path: string): Pick<Inspection, "model" | "refused"> {
  try {
    return { model: recognise(tensors, path) ?? null };
  } catch (error) {
    if (error instanceof ModelError) return { model: null, refused: error.message };
    throw error;
  }
}

function totalsOf(entries: readonly TensorEntry[]): Partial<Record<DType, DTypeTotal>> {
  const totals: Partial<Record<DType, DTypeTotal>> = {};
  for (const { dtype, shape, bytes } of entries) {
    const before = totals[dtype] ?? { tensors: 0, elements: 0, bytes: 0 };
    totals[dtype] = {
      tensors: before.tensors + 1,
      elements: before.elements + elementCount(shape),
      bytes: before.bytes + bytes,
    };
  }
  return totals;
}
