import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CheckpointError } from "../errors.js";
import { closeCheckpoint } from "./checkpoint.js";
import { openCheckpoint } from "./open.js";
import { readNumbers } from "./read.js";
import { writeSafetensors, type WritableTensor } from "./write-safetensors.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "write-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Values of every type the writer takes; 64-bit integers within 2^53, which is what numbers can compare. */
const data = fc.oneof(
  fc.float32Array({ maxLength: 6 }),
  fc.int32Array({ maxLength: 6 }),
  fc.uint8Array({ maxLength: 6 }),
  fc.array(fc.maxSafeInteger(), { maxLength: 6 }).map((values) => BigInt64Array.from(values, BigInt)),
);
const tensor = fc
  .tuple(data, fc.boolean())
  .map(([data, flat]): WritableTensor => ({ data, shape: flat ? [data.length] : [1, data.length, 1] }));

test("what is written is read back: names, shapes, values", async () => {
  const path = join(folder, "a.safetensors");
  const property = fc.asyncProperty(fc.dictionary(fc.string(), tensor), async (tensors) => {
    const entries = Object.entries(tensors).filter(([name]) => name !== "__metadata__");
    await writeSafetensors(path, entries, { made: "by a test" });
    const checkpoint = await openCheckpoint(path);
    expect(new Set(checkpoint.tensors.keys())).toEqual(new Set(entries.map(([name]) => name)));
    for (const [name, { shape, data }] of entries) {
      const stored = checkpoint.tensors.get(name)!;
      expect(stored.shape).toEqual(shape);
      expect([...(await readNumbers(stored))]).toEqual(Array.from(data as Iterable<number | bigint>, Number));
      expect(stored.offset % data.BYTES_PER_ELEMENT).toBe(0);
    }
    await closeCheckpoint(checkpoint);
  });
  await fc.assert(property, { numRuns: 200 });
});

test("the file's bytes, exactly", async () => {
  const path = join(folder, "exact.safetensors");
  await writeSafetensors(path, [["x", { shape: [2], data: Uint8Array.of(1, 2) }]], { k: "v" });
  const json = '{"__metadata__":{"k":"v"},"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}';
  const length = Math.ceil(json.length / 8) * 8;
  const expected = [Uint8Array.of(length, 0, 0, 0, 0, 0, 0, 0), Buffer.from(json.padEnd(length)), Uint8Array.of(1, 2)];
  expect(await readFile(path)).toEqual(Buffer.concat(expected));
});

test("refused: data that does not fill its shape, a name twice, a folder that is not there", async () => {
  const path = join(folder, "refused.safetensors");
  const one = { shape: [1], data: Uint8Array.of(1) };
  await expect(writeSafetensors(path, [["x", { ...one, shape: [2, 2] }]])).rejects.toThrow(
    `${path}: tensor "x": [2, 2] cannot hold 1 elements`,
  );
  await expect(
    writeSafetensors(path, [
      ["x", one],
      ["x", one],
    ]),
  ).rejects.toThrow('tensor "x": the name is taken');
  await expect(writeSafetensors(path, [["__metadata__", one]])).rejects.toThrow("the name is taken");
  await expect(writeSafetensors(join(folder, "no", "x"), [["x", one]])).rejects.toThrow(CheckpointError);
  expect((await readdir(folder)).filter((name) => name.startsWith("refused") || name.endsWith(".tmp"))).toEqual([]);
});
