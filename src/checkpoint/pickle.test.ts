import { describe, expect, test } from "vitest";
import { concat, pickle } from "../../test/support/torch-file.js";
import { CheckpointError } from "../errors.js";
import { ByteCursor } from "./cursor.js";
import { unpickle } from "./pickle.js";
import type { PickleValue } from "./pickle-machine.js";
import { TORCH_WORLD } from "./torch-objects.js";

function load(bytes: Uint8Array): PickleValue {
  return unpickle(new ByteCursor(bytes, "test.pkl"), TORCH_WORLD);
}

/** Python's pickle.dumps of the value below, by protocol (3.11). */
const PLAIN: readonly (readonly [protocol: number, hex: string])[] = [
  [
    2,
    "80027d71002858010000006171015d7102284b014afeffffff4d2c014a701101008a060000000000018a090000000000000000408a090000000000000000c065580100000062710328473ff80000000000004e888974710458010000006471055802000000c3a9710658010000006571077d71084b015801000000787109734b014b0286710a580100000074710b752e",
  ],
  [
    3,
    "80037d71002858010000006171015d7102284b014afeffffff4d2c014a701101008a060000000000018a090000000000000000408a090000000000000000c065580100000062710328473ff80000000000004e888974710458010000006471055802000000c3a9710658010000006571077d71084b015801000000787109734b014b0286710a580100000074710b752e",
  ],
  [
    4,
    "8004956d000000000000007d94288c0161945d94284b014afeffffff4d2c014a701101008a060000000000018a090000000000000000408a090000000000000000c0658c01629428473ff80000000000004e888974948c0164948c02c3a9948c0165947d944b018c017894734b014b0286948c017494752e",
  ],
  [
    5,
    "8005956d000000000000007d94288c0161945d94284b014afeffffff4d2c014a701101008a060000000000018a090000000000000000408a090000000000000000c0658c01629428473ff80000000000004e888974948c0164948c02c3a9948c0165947d944b018c017894734b014b0286948c017494752e",
  ],
];

describe("plain data", () => {
  test.each(PLAIN)("protocol %i", (_, hex) => {
    const value = load(Buffer.from(hex, "hex"));
    expect(value).toEqual(
      new Map<PickleValue, PickleValue>([
        ["a", [1, -2, 300, 70000, 2 ** 40, 2n ** 70n, -(2n ** 70n)]],
        ["b", [1.5, null, true, false]],
        ["d", "é"],
        ["e", new Map([[1, "x"]])],
        [[1, 2], "t"],
      ]),
    );
  });

  test("bytes, byte arrays and sets of protocol 5", () => {
    // pickle.dumps({"s": {1}, "f": frozenset([2]), "b": b"\0\xff", "a": bytearray(b"xy")}, 5)
    const value = load(
      Buffer.from(
        "80059531000000000000007d94288c0173948f94284b01908c016694284b0291948c016294430200ff948c016194960200000000000000787994752e",
        "hex",
      ),
    );
    expect(value).toEqual(
      new Map<string, PickleValue>([
        ["s", [1]],
        ["f", [2]],
        ["b", Buffer.of(0, 255)],
        ["a", Buffer.from("xy")],
      ]),
    );
  });

  test("the cursor stops behind the pickle", () => {
    const cursor = new ByteCursor(concat(pickle.file(pickle.int(7)), "rest"), "test.pkl");
    expect(unpickle(cursor, TORCH_WORLD)).toBe(7);
    expect(cursor.remaining).toBe(4);
  });

  test("an ordered dictionary of Python 2 brings its items as a list of pairs", () => {
    const ordered = pickle.global("collections", "OrderedDict");
    const pair = (...items: Uint8Array[]) => concat("](", ...items, "e");
    const called = (list: Uint8Array) => load(pickle.file(pickle.call(ordered, list)));
    const [a, b] = [pair(pickle.text("a"), pickle.int(1)), pair(pickle.text("b"), pickle.int(2))];
    expect(called(pair(b, a))).toEqual(
      new Map([
        ["b", 2],
        ["a", 1],
      ]),
    );
    const refused = "collections.OrderedDict is called with arguments that torch.save does not write";
    expect(() => called(pair(pair(pickle.text("a"))))).toThrow(refused);
    expect(() => called(pickle.int(1))).toThrow(refused);
  });

  test("containers and settings that checkpoints carry are opaque", () => {
    const namespace = concat(pickle.global("argparse", "Namespace"), ")", 0x81, "}b");
    const scalar = pickle.call(pickle.global("numpy.core.multiarray", "scalar"), pickle.text("x"));
    const value = load(pickle.file(pickle.dictionary({ namespace, scalar })));
    expect([...(value as Map<string, { description: string }>).values()].map((item) => item.description)).toEqual([
      "opaque data",
      "opaque data",
    ]);
  });
});

describe("refused", () => {
  const cases: readonly (readonly [what: string, body: Uint8Array, message: RegExp])[] = [
    ["a function", pickle.global("os", "system"), /asks for "os\.system", which is not part of a checkpoint/],
    ["a function by STACK_GLOBAL", concat(pickle.text("builtins"), pickle.text("eval"), 0x93), /"builtins\.eval"/],
    ["torch's own loader", pickle.global("torch", "load"), /"torch\.load"/],
    ["an unknown dtype", pickle.global("torch", "ComplexFloatStorage"), /"torch\.ComplexFloatStorage"/],
    ["an opcode torch does not write", concat("(ctorch\nSize\no"), /opcode 0x6f/],
    ["INST", concat("(ios\nsystem\n"), /opcode 0x69/],
    ["an extension", concat(0x82, 1), /opcode 0x82/],
    ["a call of a value", concat(pickle.int(1), ")R"), /calls something that is not a class/],
    ["wrong arguments", pickle.call(pickle.global("torch._utils", "_rebuild_tensor_v2"), pickle.int(1)), /arguments/],
    ["another persistent object", concat(pickle.tuple(pickle.text("module")), "Q"), /not a storage/],
    ["an unkept value", concat("h", 9), /recalls value 9/],
    ["a key without value", concat("}(", pickle.int(1), "u"), /key without a value/],
    ["items of a list", concat("]", pickle.int(1), pickle.int(2), "s"), /not a dictionary/],
    ["appending to a dictionary", concat("}", pickle.int(1), "a"), /not a list/],
    ["no mark", concat("t"), /no mark/],
    ["an empty stack", concat("0"), /empty stack/],
    ["an early end", concat("X", 255, 255, 255, 127), /2147483647 bytes expected, \d+ left/],
    ["a text beyond 2^53", concat(0x8d, 255, 255, 255, 255, 255, 255, 255, 255), /larger than any file/],
    ["a giant integer", concat(0x8b, 0, 1, 0, 0), /256 bytes, the limit is 255/],
    ["text that is not UTF-8", concat(0x8c, 1, 0xff), /not UTF-8/],
  ];
  test.each(cases)("%s", (_, body, message) => {
    expect(() => load(pickle.file(body))).toThrow(CheckpointError);
    expect(() => load(pickle.file(body))).toThrow(message);
  });

  test("protocols 1 and 6", () => {
    expect(() => load(concat(0x80, 1, "N."))).toThrow(/protocol 1, only 2 to 5/);
    expect(() => load(concat(0x80, 6, "N."))).toThrow(/protocol 6, only 2 to 5/);
  });

  test("endless pickles", () => {
    expect(() => load(concat(0x80, 2, "N".repeat(2_000_001)))).toThrow(/more than 2000000 steps/);
  });

  const nulls = concat("(", "N".repeat(1000), "t");
  const pairs = concat("](", ...new Array<Uint8Array>(1000).fill(concat("NN", 0x86)), "e", 0x85);
  test.each([
    ["a list that every call copies", "OrderedDict", pairs],
    ["arguments that every call copies", "defaultdict", nulls],
  ])("%s", (_, name, args) => {
    const kept = concat(pickle.global("collections", name), "q", 0, "0", args, "q", 1, "0");
    const called = (calls: number) =>
      load(pickle.file(concat(kept, "(", ...new Array<Uint8Array>(calls).fill(concat("h", 0, "h", 1, "R")), "t")));
    expect(called(100)).toHaveLength(100);
    expect(() => called(2000)).toThrow(CheckpointError);
    expect(() => called(2000)).toThrow("more than 2000000 steps");
  });

  test("long integers, each byte of which counts", () => {
    const long = concat(0x8a, 255, new Uint8Array(255).fill(0x7f));
    const longs = (count: number) => load(pickle.file(concat("(", ...new Array<Uint8Array>(count).fill(long), "t")));
    expect(longs(100)).toHaveLength(100);
    expect(() => longs(8000)).toThrow("more than 2000000 steps");
  });

  test("one line, whatever the file names", () => {
    const name = `a\u001b[31m\u009b${"x".repeat(500)}`;
    expect(() => load(pickle.file(pickle.global("os", name)))).toThrow(
      /^test\.pkl: asks for "[ -~…]{1,120}", .* \(byte \d+\)$/,
    );
  });
});
