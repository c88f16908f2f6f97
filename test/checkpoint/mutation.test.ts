/**
 * Damaged and hostile files by the thousand: a valid checkpoint is changed at random and opened. Either it is refused
 * with a CheckpointError, or every tensor it still declares lies inside the file and reads as many values as its shape
 * says; of safetensors each byte of data must belong to exactly one tensor, and no byte of an archive to two entries.
 * Anything else (another error, a hang, memory beyond the file's worth) fails.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openCheckpointSource } from "../../src/checkpoint/format.js";
import { readNumbers, spanElements } from "../../src/checkpoint/read.js";
import { bytesSource } from "../../src/checkpoint/source.js";
import { byteLength, ELEMENT_BYTES, elementCount, type StoredTensor } from "../../src/checkpoint/tensor.js";
import { readZipDirectory } from "../../src/checkpoint/zip.js";
import { CheckpointError } from "../../src/errors.js";
import { concat, uint, zipBytes } from "../support/torch-file.js";

const CHECKPOINTS = fileURLToPath(new URL("../golden/checkpoints/", import.meta.url));
const RUNS = 2000;

/** Values a reader may come to hold for one tensor: repeated elements are bounded by 2^20 more than are stored. */
const MOST_VALUES = 2 ** 20 + 2 ** 12;

/** Opens changed bytes; true if they are still a checkpoint. */
async function survives(bytes: Uint8Array): Promise<boolean> {
  try {
    const { tensors, format } = await openCheckpointSource(bytesSource("mutated", bytes));
    if (format === "safetensors") expectPartition(bytes, [...tensors.values()]);
    if (format === "torch-zip") await expectDisjoint(bytes);
    for (const tensor of tensors.values()) {
      const count = elementCount(tensor.shape);
      const span = count === 0 ? 0 : spanElements(tensor) * ELEMENT_BYTES[tensor.dtype];
      expect(tensor.offset + span).toBeLessThanOrEqual(bytes.byteLength);
      expect(count).toBeLessThan(MOST_VALUES);
      expect(await readNumbers(tensor)).toHaveLength(count);
    }
    return true;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    expect(error.message).toMatch(/^mutated: [^\n\r]{1,1000}$/);
    return false;
  }
}

/** Tensors of safetensors share no byte and leave none over. */
function expectPartition(bytes: Uint8Array, tensors: readonly StoredTensor[]): void {
  const start = 8 + Number(Buffer.from(bytes).readBigUInt64LE());
  const ranges = tensors.map((tensor) => ({ offset: tensor.offset, size: byteLength(tensor) }));
  expect(owners(bytes, ranges).every((count, i) => count === (i < start ? 0 : 1))).toBe(true);
}

/** Entries of an archive share no byte. */
async function expectDisjoint(bytes: Uint8Array): Promise<void> {
  const entries = await readZipDirectory(bytesSource("mutated", bytes));
  expect(owners(bytes, entries.values()).every((count) => count <= 1)).toBe(true);
}

/** Counts for each byte of a file the ranges it lies in. */
function owners(bytes: Uint8Array, ranges: Iterable<{ offset: number; size: number }>): Uint8Array {
  const counts = new Uint8Array(bytes.byteLength);
  for (const { offset, size } of ranges) {
    for (let i = offset; i < offset + size; i++) counts[i]!++;
  }
  return counts;
}

/** Opcodes of pickles and the marks of JSON: changes to these keep a file's grammar whole more often. */
const GRAMMAR = Buffer.from(
  "()}]{[0123456789.,:NJKMXUTBCGQRabcehjqrstu\x80\x81\x85\x86\x87\x88\x8a\x8c\x93\x94",
  "latin1",
);

/** One change: bytes overwritten, removed, repeated, or a number put where the file may keep a length. */
const change = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), at: fc.nat(), bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) }),
  fc.record({
    kind: fc.constant("set" as const),
    at: fc.nat(),
    bytes: fc.constantFrom(...GRAMMAR).map((byte) => Uint8Array.of(byte)),
  }),
  fc.record({ kind: fc.constant("remove" as const), at: fc.nat(), length: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: fc.constant("repeat" as const), at: fc.nat(), length: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat() }),
  fc.record({
    kind: fc.constant("number" as const),
    at: fc.nat(),
    value: fc.constantFrom(0, 1, 0x7f, 0xffff, 0x7fffffff, 0xffffffff, 2 ** 40, 2 ** 53 - 1),
    size: fc.constantFrom<2 | 4 | 8>(2, 4, 8),
  }),
);

type Mutation = typeof change extends fc.Arbitrary<infer Change> ? Change : never;

/** Bytes after one change; positions wrap around. */
function apply(bytes: Uint8Array, mutation: Mutation): Uint8Array {
  const at = mutation.at % (bytes.byteLength + 1);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (mutation.kind) {
    case "set":
      return concat(before, mutation.bytes, after.subarray(mutation.bytes.byteLength));
    case "remove":
      return concat(before, after.subarray(mutation.length));
    case "repeat":
      return concat(before, after.subarray(0, mutation.length), after);
    case "cut":
      return before;
    case "number": {
      const { size, value } = mutation;
      return concat(before, uint(value % 2 ** (8 * size), size), after.subarray(size));
    }
  }
}

const FILES = ["mixed.pth", "training.pth", "legacy.pth", "expected.safetensors"];

describe("any bytes of the file", () => {
  test.each(FILES)("%s", async (file) => {
    const whole = readFileSync(CHECKPOINTS + file);
    let survivors = 0;
    const property = fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (mutations) => {
      if (await survives(mutations.reduce(apply, whole))) survivors++;
    });
    await fc.assert(property, { numRuns: RUNS });
    // Both ends of the property were seen: changed weights are still a checkpoint, changed lengths are not.
    expect(survivors).toBeGreaterThan(0);
    expect(survivors).toBeLessThan(RUNS);
  });
});

describe("the part that describes the tensors", () => {
  /** Runs the property over changes within one stretch of a file, which `rebuild` makes a whole file again. */
  async function mutate(described: Uint8Array, rebuild: (described: Uint8Array) => Uint8Array): Promise<void> {
    expect(await survives(rebuild(described))).toBe(true);
    const property = fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 2 }), async (mutations) => {
      await survives(rebuild(mutations.reduce(apply, described)));
    });
    await fc.assert(property, { numRuns: RUNS });
  }

  test("the pickle of a zip archive, lengths kept right", async () => {
    const whole = readFileSync(`${CHECKPOINTS}mixed.pth`);
    const entries = await readZipDirectory(bytesSource("mixed.pth", whole));
    const data = (name: string) => {
      const { offset, size } = entries.get(name)!;
      return whole.subarray(offset, offset + size);
    };
    const storages = [...entries.keys()].filter((name) => name !== "mixed/data.pkl");
    await mutate(data("mixed/data.pkl"), (bytes) =>
      zipBytes([{ name: "mixed/data.pkl", bytes }, ...storages.map((name) => ({ name, bytes: data(name) }))]),
    );
  });

  test("the directory of a zip archive", async () => {
    const whole = readFileSync(`${CHECKPOINTS}mixed.pth`);
    const start = whole.indexOf("PK\u0001\u0002");
    await mutate(whole.subarray(start), (bytes) => concat(whole.subarray(0, start), bytes));
  });

  test("the header of safetensors, its length kept right", async () => {
    const whole = readFileSync(`${CHECKPOINTS}expected.safetensors`);
    const end = 8 + Number(whole.readBigUInt64LE());
    await mutate(whole.subarray(8, end), (bytes) => concat(uint(bytes.byteLength, 8), bytes, whole.subarray(end)));
  });

  test("numbers in the header of safetensors", async () => {
    const whole = readFileSync(`${CHECKPOINTS}expected.safetensors`);
    const end = 8 + Number(whole.readBigUInt64LE());
    const parts = whole.subarray(8, end).toString().split(/(\d+)/);
    const numbers = parts.flatMap((part, i) => (/^\d+$/.test(part) ? [i] : []));
    const value = fc.oneof(
      fc.maxSafeInteger(),
      fc.nat(2000),
      fc.double(),
      fc.constantFrom("1e999", "-0", "null", "[]"),
    );
    const property = fc.asyncProperty(fc.constantFrom(...numbers), value, async (position, number) => {
      const json = parts.with(position, String(number)).join("");
      await survives(concat(uint(json.length, 8), json, whole.subarray(end)));
    });
    await fc.assert(property, { numRuns: RUNS });
  });
});
