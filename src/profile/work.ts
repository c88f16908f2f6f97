/** What a part of a generation must do at least: arithmetic and traffic, counted by formula, and how fast a machine can. */
import { WEIGHT_TYPES, type WeightType } from "../graph/model.js";

/** The least that a part has to do. */
export interface Work {
  /** Operations of matrix products, a multiplication and an addition each, by how the weights are held. */
  readonly operations: Readonly<Partial<Record<WeightType, number>>>;
  /** Bytes to be read and written at least once: weights, what goes in and what comes out. */
  readonly bytes: number;
}

/** What a machine can do at best. */
export interface Ceilings {
  /** Operations a second in matrix products, by how the weights are held. */
  readonly operations: Readonly<Record<WeightType, number>>;
  /** Bytes a second that are read or written. */
  readonly bytes: number;
}

/** A number for each way weights are held. */
export function byWeightType(numberOf: (type: WeightType) => number): Record<WeightType, number> {
  return Object.fromEntries(WEIGHT_TYPES.map((type) => [type, numberOf(type)])) as Record<WeightType, number>;
}

/** Bytes of a float32 number. */
export const FLOAT = Float32Array.BYTES_PER_ELEMENT;

/** Operations of a product [m, k] × [k, n]. */
export function product(m: number, k: number, n: number): number {
  return 2 * m * k * n;
}

/** Work of all parts together. */
export function together(parts: Iterable<Work>): Work {
  const operations: Partial<Record<WeightType, number>> = {};
  let bytes = 0;
  for (const part of parts) {
    for (const [type, count] of Object.entries(part.operations) as [WeightType, number][]) {
      operations[type] = (operations[type] ?? 0) + count;
    }
    bytes += part.bytes;
  }
  return { operations, bytes };
}

/** The same work `count` times over. */
export function times(count: number, { operations, bytes }: Work): Work {
  const entries = Object.entries(operations).map(([type, each]) => [type, count * each] as const);
  return { operations: Object.fromEntries(entries), bytes: count * bytes };
}

/** Operations of a work, whatever the weights. */
export function operationsOf({ operations }: Work): number {
  return Object.values(operations).reduce((sum, count) => sum + count, 0);
}

/** The least seconds it can take: its arithmetic at full speed or its traffic at full speed, whichever is longer. */
export function floorSeconds({ operations, bytes }: Work, ceilings: Ceilings): number {
  const arithmetic = (Object.entries(operations) as [WeightType, number][]).reduce(
    (sum, [type, count]) => sum + count / ceilings.operations[type],
    0,
  );
  return Math.max(arithmetic, bytes / ceilings.bytes);
}
