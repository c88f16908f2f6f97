import { describe, expect, test } from "vitest";
import {
  concat,
  pickle,
  pickledTensor,
  torchZip,
  zipBytes,
  type PickledTensor,
} from "../../test/support/torch-file.js";
import { CheckpointError } from "../errors.js";
import type { Checkpoint } from "./checkpoint.js";
import { openCheckpointSource } from "./format.js";
import { readNumbers } from "./read.js";
import { bytesSource } from "./source.js";

/** 0 … 11 as float32. */
const TWELVE = new Uint8Array(Float32Array.from({ length: 12 }, (_, i) => i).buffer);
const MATRIX: PickledTensor = { key: "0", storage: "FloatStorage", count: 12, shape: [3, 4], strides: [4, 1] };

function open(root: Uint8Array, storages: Record<string, Uint8Array> = { "0": TWELVE }): Promise<Checkpoint> {
  return openCheckpointSource(bytesSource("test.pth", torchZip(root, storages)));
}

/** Opens a checkpoint whose only tensor is the matrix with some properties changed. */
function openOne(changes: Partial<PickledTensor>, storages?: Record<string, Uint8Array>): Promise<Checkpoint> {
  return open(pickle.dictionary({ w: pickledTensor({ ...MATRIX, ...changes }) }), storages);
}

async function numbers(checkpoint: Checkpoint, name: string): Promise<number[]> {
  return [...(await readNumbers(checkpoint.tensors.get(name)!))];
}

describe("names", () => {
  test("dictionaries, numbered keys and lists join with dots; what is no tensor is passed over", async () => {
    const tensor = pickledTensor(MATRIX);
    const root = pickle.dictionary({
      trainer: pickle.dictionary({ gpt_fsdp: pickle.dictionary({ "head.weight": tensor }), step: pickle.int(3) }),
      ema: concat("]", tensor, "a"),
      state: concat("}", pickle.int(7), tensor, "s"),
      note: pickle.text("text"),
      nothing: concat("N"),
    });
    expect([...(await open(root)).tensors.keys()]).toEqual(["trainer.gpt_fsdp.head.weight", "ema.0", "state.7"]);
  });

  test("parameters are the tensors they hold", async () => {
    const parameter = pickle.call(pickle.global("torch._utils", "_rebuild_parameter"), pickledTensor(MATRIX));
    const checkpoint = await open(pickle.dictionary({ w: parameter }));
    expect(checkpoint.tensors.get("w")).toMatchObject({ dtype: "f32", shape: [3, 4] });
  });

  test("one name for two tensors is refused", async () => {
    const tensor = pickledTensor(MATRIX);
    const root = pickle.dictionary({ "a.b": tensor, a: pickle.dictionary({ b: tensor }) });
    await expect(open(root)).rejects.toThrow('test.pth: two tensors are named "a.b"');
  });

  test("a dictionary that holds itself is refused", async () => {
    await expect(open(concat("}q\u0001", pickle.text("a"), "h\u0001s"))).rejects.toThrow(/nested deeper than 64/);
  });

  test("dictionaries that share others cannot spell names without end", async () => {
    const levels = Array.from({ length: 40 }, (_, i) =>
      concat("}(", pickle.text("a"), "h", i, pickle.text("b"), "h", i, "uq", i + 1, "0"),
    );
    const root = concat(pickledTensor(MATRIX), "q\u00000", ...levels, "h", 40);
    await expect(open(root)).rejects.toThrow("test.pth: holds more than 500000 values");
  });

  test("names beyond 1024 characters are refused", async () => {
    const root = pickle.dictionary({ ["x".repeat(1025)]: pickledTensor(MATRIX) });
    await expect(open(root)).rejects.toThrow(/longer than 1024 characters/);
  });
});

describe("views", () => {
  test("storage offset, transposition, steps and repetition", async () => {
    expect(await numbers(await openOne({ first: 4, shape: [2, 4] }), "w")).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(await numbers(await openOne({ shape: [4, 3], strides: [1, 4] }), "w")).toEqual([
      0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11,
    ]);
    expect(await numbers(await openOne({ first: 1, shape: [3, 2], strides: [4, 2] }), "w")).toEqual([
      1, 3, 5, 7, 9, 11,
    ]);
    expect(await numbers(await openOne({ shape: [2, 3], strides: [0, 1] }), "w")).toEqual([0, 1, 2, 0, 1, 2]);
    expect(await numbers(await openOne({ shape: [], strides: [], first: 11 }), "w")).toEqual([11]);
    expect(await numbers(await openOne({ shape: [0, 5], strides: [5, 1] }), "w")).toEqual([]);
  });

  test("bytes of no type of their own take the tensor's dtype", async () => {
    const id = pickle.tuple(
      ...[pickle.text("storage"), pickle.global("torch", "UntypedStorage")],
      ...[pickle.text("0"), pickle.text("cpu"), pickle.int(48)],
    );
    const rest = [concat(0x89), concat("}"), pickle.global("torch", "float32")];
    const shape = [pickle.int(2), pickle.tuple(pickle.int(3)), pickle.tuple(pickle.int(1))];
    const rebuild = pickle.global("torch._utils", "_rebuild_tensor_v3");
    const checkpoint = await open(pickle.dictionary({ w: pickle.call(rebuild, concat(id, "Q"), ...shape, ...rest) }));
    expect(await numbers(checkpoint, "w")).toEqual([2, 3, 4]);
  });
});

describe("refused, naming file and tensor", () => {
  const cases: readonly (readonly [what: string, changes: Partial<PickledTensor>, message: RegExp])[] = [
    ["beyond the storage", { shape: [4, 4] }, /^test\.pth: tensor "w": needs 16 elements, its storage has 12$/],
    ["offset beyond it", { first: 1 }, /needs 13 elements, its storage has 12/],
    ["an empty tensor beyond it", { shape: [0, 4], first: 13 }, /needs 13 elements, its storage has 12/],
    ["a stride beyond it", { strides: [5, 1] }, /needs 14 elements/],
    ["a negative size", { shape: [-3, 4] }, /\[-3, 4\] is not a shape/],
    ["a negative stride", { strides: [-4, 1] }, /strides \[-4, 1\] from element 0/],
    ["a negative offset", { first: -1 }, /from element -1/],
    ["a product beyond 2^53", { shape: [2 ** 40, 2 ** 40], strides: [0, 0] }, /is not a shape/],
    ["and beside a size 0", { shape: [2 ** 40, 2 ** 40, 0], strides: [0, 0, 0] }, /is not a shape/],
    ["endless repetition", { shape: [2 ** 40], strides: [0] }, /repeats 12 stored elements to 1099511627776/],
    ["too few strides", { strides: [1] }, /2 sizes but 1 strides/],
    ["a storage longer than its entry", { count: 13 }, /storage "0" needs 52 bytes, the file has 48/],
    ["a wider type than its entry", { storage: "DoubleStorage" }, /storage "0" needs 96 bytes, the file has 48/],
    ["a missing storage", { key: "1" }, /storage "1" is not in the file/],
    ["a negative storage", { count: -1 }, /not a storage/],
    ["65 axes", { shape: new Array(65).fill(1), strides: new Array(65).fill(1) }, /arguments that torch\.save/],
  ];
  test.each(cases)("%s", async (_, changes, message) => {
    await expect(openOne(changes)).rejects.toThrow(CheckpointError);
    await expect(openOne(changes)).rejects.toThrow(message);
  });

  test("big-endian files and archives without a pickle", async () => {
    const file = { name: "archive/data.pkl", bytes: pickle.file(concat("}")) };
    const big = zipBytes([file, { name: "archive/byteorder", bytes: Buffer.from("big") }]);
    await expect(openCheckpointSource(bytesSource("test.pth", big))).rejects.toThrow('byte order "big"');
    const none = zipBytes([{ name: "notes.txt", bytes: TWELVE }]);
    await expect(openCheckpointSource(bytesSource("test.pth", none))).rejects.toThrow("0 entries data.pkl, expected 1");
  });
});
