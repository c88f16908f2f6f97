/**
 * A manifest says which tensors a model has and how large they are. A checkpoint is checked against it before any
 * graph is built, so that a wrong file is refused by name and never half used.
 */
import { printable } from "../checkpoint/cursor.js";
import type { DType, StoredTensor } from "../checkpoint/tensor.js";
import { ModelError } from "../errors.js";

/** Tensors by their names in a checkpoint. */
export type Tensors = ReadonlyMap<string, StoredTensor>;

/** Shapes by name: all that a model needs, and nothing else. */
export type Manifest = ReadonlyMap<string, readonly number[]>;

/** A tensor whose presence means that the checkpoint is of a kind this project does not run. */
export interface ForeignTensor {
  readonly name: RegExp;
  /** What the checkpoint is or has instead: "a SwiGLU feed-forward layer". */
  readonly meaning: string;
}

const WEIGHT_TYPES: ReadonlySet<DType> = new Set(["f64", "f32", "f16", "bf16"]);

/** Differences named in one message; the rest is counted. */
const NAMED_DIFFERENCES = 3;

/** `[64, 2048]`, as messages show shapes. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

/**
 * Compares a checkpoint with a manifest; `model` is what the file should be.
 * A missing, unexpected or differently shaped tensor, or one of integers, is a {@link ModelError} that names the first
 * few and counts the rest.
 */
export function checkManifest(tensors: Tensors, manifest: Manifest, file: string, model: string): void {
  const differences = [...missingOrDifferent(tensors, manifest), ...unexpected(tensors, manifest)];
  if (differences.length === 0) return;
  const named = differences.slice(0, NAMED_DIFFERENCES).join("; ");
  const rest = differences.length - NAMED_DIFFERENCES;
  throw new ModelError(`${file}: not ${model}: ${named}${rest > 0 ? `; and ${rest} more` : ""}`);
}

function* missingOrDifferent(tensors: Tensors, manifest: Manifest): Generator<string> {
  for (const [name, shape] of manifest) {
    const tensor = tensors.get(name);
    if (!tensor) yield `${name} ${formatShape(shape)} is missing`;
    else if (!sameShape(tensor.shape, shape)) {
      yield `${name} is ${formatShape(tensor.shape)}, expected ${formatShape(shape)}`;
    } else if (!WEIGHT_TYPES.has(tensor.dtype)) yield `${name} is ${tensor.dtype}, expected a floating-point type`;
  }
}

function* unexpected(tensors: Tensors, manifest: Manifest): Generator<string> {
  for (const [name, { shape }] of tensors) {
    if (!manifest.has(name)) yield `${printable(name)} ${formatShape(shape)} is unexpected`;
  }
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Refuses a checkpoint that has one of the foreign tensors, with a {@link ModelError} that says what it is. */
export function refuseForeign(tensors: Tensors, foreign: readonly ForeignTensor[], file: string): void {
  for (const { name: pattern, meaning } of foreign) {
    for (const name of tensors.keys()) {
      if (pattern.test(name)) throw new ModelError(`${file}: ${meaning} is not supported (tensor ${printable(name)})`);
    }
  }
}

/** The shape of a tensor that sizes are read from; a missing one, or one of another rank or size 0, is a {@link ModelError}. */
export function requireShape(tensors: Tensors, name: string, rank: number, file: string): readonly number[] {
  const tensor = tensors.get(name);
  if (!tensor) throw new ModelError(`${file}: tensor ${name} is missing`);
  if (tensor.shape.length !== rank || tensor.shape.includes(0)) {
    throw new ModelError(`${file}: ${name} is ${formatShape(tensor.shape)}, expected ${rank} axes, none of size 0`);
  }
  return tensor.shape;
}

/** Size of a whole number of equal parts; a remainder is a {@link ModelError}. `what` names the quotient. */
export function divideEvenly(size: number, by: number, what: string, file: string): number {
  if (!Number.isInteger(size / by)) throw new ModelError(`${file}: ${what}: ${size} is not a multiple of ${by}`);
  return size / by;
}
