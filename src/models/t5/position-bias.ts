/**
 * T5 has no position embedding. Instead every head adds a learned number to an attention score, chosen by how far the
 * key lies from the query: near distances have a number each, far ones share it in ever wider buckets
 * (Raffel et al. 2020, section 2.1). The first block owns the table and all blocks use it.
 */
import { ModelError } from "../../errors.js";
import type { T5Config } from "./config.js";

/** The sizes that decide which distances share a bucket. */
export type BucketSizes = Pick<T5Config, "relativeBuckets" | "relativeMaxDistance">;

/** Refuses, with a {@link ModelError} that names `file`, sizes that leave no bucket of one of the two kinds. */
export function checkBuckets({ relativeBuckets, relativeMaxDistance }: BucketSizes, file: string): void {
  if (relativeBuckets < 4)
    throw new ModelError(`${file}: ${relativeBuckets} relative attention buckets, at least 4 are needed`);
  const single = Math.floor(relativeBuckets / 4);
  if (relativeMaxDistance > single) return;
  throw new ModelError(
    `${file}: relative attention distance ${relativeMaxDistance}, more than ${single} is needed with ${relativeBuckets} buckets`,
  );
}

/**
 * The bucket of a distance (key position − query position): the lower half of the buckets serves keys at or before
 * the query, the upper half keys after it. Half of each are for single distances, the rest grow logarithmically up to
 * `relativeMaxDistance`, and the last one holds everything beyond.
 */
export function relativeBucket(distance: number, { relativeBuckets, relativeMaxDistance }: BucketSizes): number {
  const perSide = Math.floor(relativeBuckets / 2);
  const single = Math.floor(perSide / 2);
  const side = distance > 0 ? perSide : 0;
  const away = Math.abs(distance);
  if (away < single) return side + away;
  const growth = Math.log(away / single) / Math.log(relativeMaxDistance / single);
  return side + Math.min(perSide - 1, single + Math.floor(growth * (perSide - single)));
}

/**
 * What is added to the attention scores of a text of `length` tokens, [heads, length, length] (query, then key).
 * `table` [relativeBuckets, heads] is the first block's `relative_attention_bias`.
 */
export function positionBias(
  table: Float32Array,
  config: BucketSizes & Pick<T5Config, "heads">,
  length: number,
): Float32Array<ArrayBuffer> {
  const { heads } = config;
  const bias = new Float32Array(heads * length * length);
  const byDistance = new Float32Array(2 * length - 1); // from −(length − 1) to length − 1
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < byDistance.length; i++) {
      byDistance[i] = table[relativeBucket(i - (length - 1), config) * heads + head] ?? NaN;
    }
    for (let query = 0; query < length; query++) {
      // The row of a query is the same numbers, seen from one place further on.
      const row = byDistance.subarray(length - 1 - query, 2 * length - 1 - query);
      bias.set(row, (head * length + query) * length);
    }
  }
  return bias;
}
