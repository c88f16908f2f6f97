/** Random weights by name and place, the same here and in `test/reference/random_weights.py`. */
import { openSync, closeSync, writeSync } from "node:fs";
import { elementCount, rowMajorStrides } from "../../src/checkpoint/tensor.js";
import type { Manifest } from "../../src/models/manifest.js";
import { pickle, pickledTensor, zipLayout } from "./torch-file.js";

/** Numbers in [−1, 1), 24 bits each: MurmurHash3's finaliser over the name's FNV-1a hash and the place. */
export function uniforms(name: string, count: number): Float64Array {
  let word = 0x811c9dc5;
  for (const byte of Buffer.from(name)) word = Math.imul(word ^ byte, 0x01000193);
  return Float64Array.from({ length: count }, (_, i) => {
    let h = (Math.imul(i, 0x9e3779b9) + word) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 8) / 2 ** 23 - 1;
  });
}

/** A tensor whose spread keeps a signal's size through dozens of layers; variances and norms are about 1. */
export function randomWeight(name: string, shape: readonly number[]): Float32Array {
  const [centre, spread] = distribution(name, shape);
  return Float32Array.from(uniforms(name, elementCount(shape)), (u) => centre + spread * u);
}

function distribution(name: string, shape: readonly number[]): readonly [centre: number, spread: number] {
  if (name.endsWith("running_var")) return [1, 0.3];
  if (name.endsWith("bn.weight")) return [1, 0.1];
  if (name.startsWith("lin")) return [0.5, 0.5]; // LPIPS has no weight below 0
  return [0, shape.length > 1 ? Math.sqrt(6 / elementCount(shape.slice(1))) : 0.1];
}

/** Writes a torch zip file with random weights for every tensor of a manifest. */
export function writeRandomTorch(path: string, manifest: Manifest): void {
  const tensors = [...manifest].map(([name, shape], i) => {
    const values = randomWeight(name, shape);
    const storage = { key: String(i), storage: "FloatStorage", count: values.length };
    return { name, values, pickled: pickledTensor({ ...storage, shape, strides: rowMajorStrides(shape) }) };
  });
  const root = pickle.dictionary(Object.fromEntries(tensors.map(({ name, pickled }) => [name, pickled])));
  const parts = zipLayout([
    { name: "archive/data.pkl", bytes: pickle.file(root) },
    ...tensors.map(({ values }, i) => ({ name: `archive/data/${i}`, bytes: new Uint8Array(values.buffer) })),
  ]);
  const file = openSync(path, "w");
  for (const { position, bytes } of parts) writeSync(file, bytes, 0, bytes.byteLength, position);
  closeSync(file);
}
