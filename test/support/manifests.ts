/** Checkpoints that have names and shapes and no values: enough for everything that is decided before weights are read. */
import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { bytesSource } from "../../src/checkpoint/source.js";
import { ELEMENT_BYTES, elementCount, rowMajorStrides, type StoredTensor } from "../../src/checkpoint/tensor.js";

/** Shapes by name. */
export type Shapes = Iterable<readonly [name: string, shape: readonly number[]]>;

const NO_BYTES = bytesSource("nothing", new Uint8Array(0));

/** A bf16 tensor of a shape; its values cannot be read. */
export function emptyTensor(name: string, shape: readonly number[]): StoredTensor {
  return { name, dtype: "bf16", shape, strides: rowMajorStrides(shape), source: NO_BYTES, offset: 0 };
}

/** Tensors of these shapes; `extra` ones replace those of the same name. */
export function emptyTensors(
  shapes: Shapes,
  extra: Readonly<Record<string, readonly number[]>> = {},
): Map<string, StoredTensor> {
  return new Map([...shapes, ...Object.entries(extra)].map(([name, shape]) => [name, emptyTensor(name, shape)]));
}

/** Names and shapes of a published model, `infinity_2b` or `infinity_8b`; run from the project's folder. */
export function publishedShapes(model: string): { transformer: Map<string, number[]>; vae: Map<string, number[]> } {
  const file = `test/golden/manifests/${model}.json`;
  const { transformer, vae } = JSON.parse(readFileSync(file, "utf8")) as Record<string, Record<string, number[]>>;
  return { transformer: new Map(Object.entries(transformer ?? {})), vae: new Map(Object.entries(vae ?? {})) };
}

/** Writes a bf16 safetensors file whose data is a hole: gigabytes that take no room on the disk. */
export async function writeSparse(path: string, shapes: Shapes): Promise<number> {
  let end = 0;
  const entries = [...shapes].map(([name, shape]) => {
    const start = end;
    end += elementCount(shape) * ELEMENT_BYTES.bf16;
    return [name, { dtype: "BF16", shape, data_offsets: [start, end] }] as const;
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.byteLength));
  const handle = await open(path, "w");
  try {
    await handle.write(Buffer.concat([length, header]));
    await handle.truncate(8 + header.byteLength + end);
  } finally {
    await handle.close();
  }
  return end;
}
