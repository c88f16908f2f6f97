import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { pickle, pickledTensor, safetensorsBytes, torchZip } from "../../test/support/torch-file.js";
import { CheckpointError } from "../errors.js";
import { closeCheckpoint } from "./checkpoint.js";
import { openCheckpoint } from "./open.js";
import { readNumbers } from "./read.js";

const BYTES = Uint8Array.of(1, 2, 3);
const U8 = { dtype: "U8", shape: [3], data_offsets: [0, 3] };
const SAFETENSORS = safetensorsBytes({ a: U8 }, BYTES);
const TORCH = torchZip(
  pickle.dictionary({
    b: pickledTensor({ key: "0", storage: "ByteStorage", count: 3, shape: [3], strides: [1] }),
  }),
  { "0": BYTES },
);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "checkpoint-"));
});
afterEach(async () => {
  // Also proves that nothing was left behind: files of a test are closed by now.
  await rm(folder, { recursive: true });
});

async function fill(files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

/** Names of the tensors at a path, each of which must read as 1, 2, 3. */
async function tensorsAt(path: string): Promise<string[]> {
  const checkpoint = await openCheckpoint(path);
  for (const tensor of checkpoint.tensors.values()) expect([...(await readNumbers(tensor))]).toEqual([1, 2, 3]);
  await closeCheckpoint(checkpoint);
  return [...checkpoint.tensors.keys()];
}

/** Files of this folder that the process holds open, where the system tells. */
async function openFiles(): Promise<string[]> {
  const numbers = await readdir("/proc/self/fd").catch(() => []);
  const paths = numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => "closed"));
  return (await Promise.all(paths)).filter((path) => path.startsWith(folder));
}

describe("folders", () => {
  test("a folder with one checkpoint is that checkpoint", async () => {
    await fill({ "weights.pth": TORCH, "config.json": "{}" });
    expect(await tensorsAt(folder)).toEqual(["b"]);
  });

  test("of Hugging Face's two formats of the same weights, safetensors is read", async () => {
    await fill({ "model.safetensors": SAFETENSORS, "pytorch_model.bin": TORCH });
    expect(await tensorsAt(folder)).toEqual(["a"]);
  });

  test("several checkpoints, or none, are refused", async () => {
    await expect(openCheckpoint(folder)).rejects.toThrow(`${folder}: no checkpoint in this folder`);
    await fill({ "a.pth": TORCH, "b.safetensors": SAFETENSORS });
    await expect(openCheckpoint(folder)).rejects.toThrow(/2 checkpoints, name one of them: "a\.pth, b\.safetensors"/);
  });

  test("what does not exist is refused by name", async () => {
    await expect(openCheckpoint(join(folder, "none.pth"))).rejects.toThrow(/none\.pth: no such file or folder/);
  });
});

describe("shards", () => {
  const index = (weightMap: unknown) => JSON.stringify({ metadata: {}, weight_map: weightMap });
  const SHARDS = { "m-00001-of-00002.safetensors": SAFETENSORS, "m-00002-of-00002.bin": TORCH };
  const WEIGHTS = { a: "m-00001-of-00002.safetensors", b: "m-00002-of-00002.bin" };

  test("an index joins its shards, by its own path and by its folder's", async () => {
    await fill({ ...SHARDS, "model.safetensors.index.json": index(WEIGHTS) });
    expect(await tensorsAt(folder)).toEqual(["a", "b"]);
    expect(await tensorsAt(join(folder, "model.safetensors.index.json"))).toEqual(["a", "b"]);
  });

  const refused: readonly (readonly [what: string, index: string, message: RegExp])[] = [
    ["a missing shard", index({ ...WEIGHTS, c: "m-3.bin" }), /m-3\.bin: cannot be opened \(ENOENT\)/],
    ["a missing tensor", index({ c: WEIGHTS.a }), /tensor "c" is not in its shard "m-00001-of-00002\.safetensors"/],
    ["a path", index({ a: "../m.safetensors" }), /shard "\.\.\/m\.safetensors" is not a plain file name/],
    ["the folder above", index({ a: ".." }), /shard "\.\." is not a plain file name/],
    ["a number", index({ a: 1 }), /shard 1 is not a plain file name/],
    ["no map", index(null), /no "weight_map" from tensors to files/],
    ["no JSON", "{", /is not JSON/],
  ];
  test.each(refused)("%s is refused and leaves no file open", async (_, content, message) => {
    await fill({ ...SHARDS, "model.bin.index.json": content });
    await expect(openCheckpoint(folder)).rejects.toThrow(CheckpointError);
    await expect(openCheckpoint(folder)).rejects.toThrow(message);
    expect(await openFiles()).toEqual([]);
  });
});

describe("what is no regular file", () => {
  /** Waits for no writer: a test that hangs here fails by its time. */
  const pipe = (path: string) => execFileSync("mkfifo", [path]);
  const SHARD = "m-00001-of-00001.bin";

  test.each([
    ["a pipe", pipe],
    ["a folder", (path: string) => mkdir(path)],
  ])("%s as a shard is refused and not left open", async (_, make) => {
    await fill({ "model.bin.index.json": JSON.stringify({ weight_map: { a: SHARD } }) });
    await make(join(folder, SHARD));
    await expect(openCheckpoint(folder)).rejects.toThrow(
      new CheckpointError(`${join(folder, SHARD)}: cannot be opened (not a regular file)`),
    );
    expect(await openFiles()).toEqual([]);
  });

  test("a pipe by its name, and as the only checkpoint of a folder", async () => {
    const path = join(folder, "weights.pth");
    pipe(path);
    await expect(openCheckpoint(path)).rejects.toThrow(`${path}: neither a file nor a folder`);
    await expect(openCheckpoint(folder)).rejects.toThrow(`${path}: cannot be opened (not a regular file)`);
  });
});

test("a folder called like a checkpoint is a folder", async () => {
  await mkdir(join(folder, "model.pth"));
  await expect(openCheckpoint(join(folder, "model.pth"))).rejects.toThrow(/no checkpoint in this folder/);
});
