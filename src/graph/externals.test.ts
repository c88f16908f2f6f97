import { describe, expect, it } from "vitest";
import { wave } from "../../test/support/arrays.js";
import { storedTensor } from "../../test/support/graph.js";
import { bytesSource, type ByteSource } from "../checkpoint/source.js";
import type { DType, StoredTensor } from "../checkpoint/tensor.js";
import { commonFolder, initializerType, packWeights, type WeightsStore } from "./externals.js";
import { inBlocks } from "./quantize/blocks.js";

/** A file that is only named: weights in place are never read. */
function fileAt(path: string): ByteSource {
  return {
    ...{ name: path, path, size: 4096, close: () => Promise.resolve() },
    read: () => Promise.reject(new Error(`${path} was read`)),
  };
}

function matrix(name: string, source: ByteSource, dtype: DType = "f32", offset = 0): StoredTensor {
  return { name, dtype, shape: [2, 3], strides: [3, 1], source, offset };
}

/** Where an initializer says its bytes lie. */
function placeOf(entries: readonly { key: string; value: string }[]): string {
  return entries.map(({ key, value }) => `${key}=${value}`).join(" ");
}

describe("commonFolder", () => {
  it.each([
    [[], undefined],
    [["/models/a.pth"], "/models"],
    [["/models/a.pth", "/models/a.pth"], "/models"],
    [["/models/a.pth", "/models/b.pth"], "/models"],
    [["/models/x/a.pth", "/models/y/z/b.pth"], "/models"],
    [["/models/x/a.pth", "/models/x/y/b.pth"], "/models/x"],
    [["/models/shards/a.pth", "/models/shard/b.pth"], "/models"],
    [["/models/a.pth", "/data/b.pth"], undefined],
    [["/a.pth"], undefined],
  ])("of %j is %j", (paths, expected) => {
    expect(commonFolder(paths)).toBe(expected);
  });
});

describe("initializerType", () => {
  const memory = bytesSource("memory", new Uint8Array(64));
  const file = fileAt("/models/a.pth");
  it.each<[DType, string, string]>([
    ["f32", "float32", "float32"],
    ["f16", "float16", "float16"],
    ["bf16", "bfloat16", "float32"],
    ["f64", "float32", "float32"],
    ["i64", "float32", "float32"],
  ])("%s stays %s in a file and is %s from memory", (dtype, inFile, inMemory) => {
    expect(initializerType(matrix("w", file, dtype))).toBe(inFile);
    expect(initializerType(matrix("w", memory, dtype))).toBe(inMemory);
  });

  it("widens a view with gaps or in another order", () => {
    expect(initializerType({ ...matrix("w", file, "f16"), strides: [1, 2] })).toBe("float32");
    expect(initializerType({ ...matrix("w", file, "bf16"), strides: [6, 1] })).toBe("float32");
  });
});

describe("packWeights", () => {
  it("points into files, by their paths below the common folder, and reads nothing of them", async () => {
    const { initializers, folder, data } = await packWeights([
      { name: "a", tensor: matrix("a", fileAt("/models/x/a.pth"), "f32", 100) },
      { name: "b", tensor: matrix("b", fileAt("/models/y/b.pth"), "bf16", 7) },
    ]);
    expect(folder).toBe("/models");
    expect(data.byteLength).toBe(0);
    expect(initializers.map(({ externalData }) => placeOf(externalData))).toEqual([
      "location=x/a.pth offset=100 length=24",
      "location=y/b.pth offset=7 length=12",
    ]);
    expect(initializers.map(({ dims, dataType }) => [dims, dataType])).toEqual([
      [[2n, 3n], 1],
      [[2n, 3n], 16],
    ]);
  });

  it("gathers weights from memory, each at a multiple of 64 bytes", async () => {
    const [first, second] = [wave([2, 3]), wave([17], 1)];
    const { initializers, folder, data } = await packWeights([
      { name: "a", tensor: storedTensor("a", first) },
      { name: "b", tensor: storedTensor("b", second) },
    ]);
    expect(folder).toBeUndefined();
    expect(initializers.map(({ externalData }) => placeOf(externalData))).toEqual([
      "location=gathered offset=0 length=24",
      "location=gathered offset=64 length=68",
    ]);
    expect(data.byteLength).toBe(192);
    expect([...new Float32Array(data.buffer, 0, 6)]).toEqual(first.values);
    expect([...new Float32Array(data.buffer, 64, 17)]).toEqual(second.values);
  });

  it("gathers all where one cannot be mapped, 16-bit types as they are", async () => {
    const halves = Uint8Array.from({ length: 12 }, (_, i) => i + 1);
    const file: ByteSource = { ...bytesSource("a.pth", halves), path: "/models/a.pth" };
    const { initializers, folder, data } = await packWeights([
      { name: "a", tensor: matrix("a", file, "bf16") },
      { name: "b", tensor: { ...matrix("b", file, "bf16"), shape: [3, 2], strides: [1, 3] } },
    ]);
    expect(folder).toBeUndefined();
    expect(initializers.map(({ externalData, dataType }) => [placeOf(externalData), dataType])).toEqual([
      ["location=gathered offset=0 length=12", 16],
      ["location=gathered offset=64 length=24", 1],
    ]);
    expect(data.subarray(0, 12)).toEqual(halves);
  });

  it("gathers what has no folder in common, and nothing for no weights", async () => {
    const source = (path: string): ByteSource => ({ ...bytesSource(path, new Uint8Array(24)), path });
    const { folder, data } = await packWeights([
      { name: "a", tensor: matrix("a", source("/models/a.pth")) },
      { name: "b", tensor: matrix("b", source("/data/b.pth")) },
    ]);
    expect([folder, data.byteLength]).toEqual([undefined, 128]);
    expect(await packWeights([])).toEqual({ initializers: [], folder: undefined, data: new Uint8Array(0) });
  });
});

/** Keeps in memory what a folder would on disk. */
class Shelf implements WeightsStore {
  readonly kept = new Map<string, Uint8Array>();

  async keep(
    identity: string,
    size: number,
    make: () => Promise<Uint8Array>,
  ): Promise<{ path: string; offset: number }> {
    if (!this.kept.has(identity)) this.kept.set(identity, await make());
    expect(this.kept.get(identity)?.byteLength).toBe(size);
    return { path: "/cache/weights/file", offset: 4096 };
  }
}

describe("packWeights with a store", () => {
  /** A [2, 3] matrix of a file that changes with its fingerprint, and its bias behind it. */
  function stored(fingerprint: string | undefined, change: Partial<StoredTensor> = {}): StoredTensor[] {
    const told = fingerprint === undefined ? {} : { fingerprint: () => Promise.resolve(fingerprint) };
    const bytes = new Uint8Array(Float32Array.from({ length: 40 }, (_, i) => i - 7).buffer);
    const source: ByteSource = { ...bytesSource("a.pth", bytes), path: "/models/a.pth", ...told };
    return [
      { ...matrix("w", source), ...change },
      { ...matrix("b", source, "f32", 24), shape: [2], strides: [1] },
    ];
  }

  async function pack(
    store: WeightsStore | undefined,
    tensors: StoredTensor[],
    bits: 8 | 4 = 8,
  ): ReturnType<typeof packWeights> {
    const [w, b] = tensors as [StoredTensor, StoredTensor];
    const { levels, scales } = inBlocks(w, bits, 128);
    const inBlock = [levels, scales].map((tensor) => ({ name: tensor.name, tensor, asStored: true }));
    return packWeights([...inBlock, { name: "b", tensor: b }], store);
  }

  it("keeps what it gathered, and points there", async () => {
    const shelf = new Shelf();
    const [kept, gathered] = [await pack(shelf, stored("1")), await pack(undefined, stored("1"))];
    expect([kept.folder, kept.data.byteLength]).toEqual(["/cache/weights", 0]);
    expect([...shelf.kept.values()]).toEqual([gathered.data]);
    const moved = gathered.initializers.map(({ externalData }) =>
      placeOf(externalData).replace(/gathered offset=(\d+)/, (_, offset) => `file offset=${4096 + Number(offset)}`),
    );
    expect(kept.initializers.map(({ externalData }) => placeOf(externalData))).toEqual(moved);
    expect(kept.initializers.map(({ dims, dataType }) => [dims, dataType])).toEqual(
      gathered.initializers.map(({ dims, dataType }) => [dims, dataType]),
    );
  });

  it("finds it again for the same bytes only", async () => {
    const shelf = new Shelf();
    for (let i = 0; i < 2; i++) await pack(shelf, stored("1"));
    expect(shelf.kept.size).toBe(1);
    await pack(shelf, stored("2"));
    await pack(shelf, stored("1", { offset: 32 }));
    await pack(shelf, stored("1", { shape: [3, 2], strides: [2, 1] }));
    await pack(shelf, stored("1", { strides: [1, 2] }));
    await pack(shelf, stored("1", { dtype: "f16" }));
    await pack(shelf, stored("1"), 4);
    expect(shelf.kept.size).toBe(7);
  });

  it("gathers what the store has no room for", async () => {
    const full: WeightsStore = { keep: () => Promise.resolve(undefined) };
    expect(await pack(full, stored("1"))).toEqual(await pack(undefined, stored("1")));
  });

  it("keeps nothing of a source that does not tell whether it changed, nor what can be mapped anyway", async () => {
    const shelf = new Shelf();
    expect((await pack(shelf, stored(undefined))).folder).toBeUndefined();
    const [, b] = stored("1") as [StoredTensor, StoredTensor];
    expect((await packWeights([{ name: "b", tensor: b }], shelf)).folder).toBe("/models");
    expect(shelf.kept.size).toBe(0);
  });
});
