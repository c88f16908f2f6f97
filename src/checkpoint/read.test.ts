import { describe, expect, test } from "vitest";
import { ModelError } from "../errors.js";
import { readFloat32, readNumbers, readRows } from "./read.js";
import { bytesSource } from "./source.js";
import { rowMajorStrides, type DType, type StoredTensor } from "./tensor.js";

/** A tensor over some values; `skip` bytes come first, so that the data may lie unaligned. */
function stored(dtype: DType, data: ArrayBufferView, shape: readonly number[], skip = 0): StoredTensor {
  const bytes = new Uint8Array(skip + data.byteLength);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), skip);
  return { name: "w", dtype, shape, strides: rowMajorStrides(shape), source: bytesSource("test", bytes), offset: skip };
}

/** Half precision by its definition: sign, 5 bits of exponent, 10 bits of fraction. */
function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : (2 ** -14 * fraction) / 1024);
}

describe("every dtype, exactly", () => {
  const ALL_HALVES = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

  test("all 65,536 half-precision numbers", async () => {
    const expected = Array.from(ALL_HALVES, half);
    expect([...(await readFloat32(stored("f16", ALL_HALVES, [65536])))]).toEqual(expected);
    expect([...(await readNumbers(stored("f16", ALL_HALVES, [65536], 1)))]).toEqual(expected);
  });

  test("all 65,536 bfloat16 numbers are the upper halves of float32", async () => {
    const words = Float32Array.from(await readFloat32(stored("bf16", ALL_HALVES, [65536], 3)));
    const upper = new Uint32Array(words.buffer).map((word) => word >>> 16);
    expect([...upper]).toEqual([...ALL_HALVES]);
  });

  test.each<[DType, ArrayBufferView, number[]]>([
    ["f64", Float64Array.of(1 / 3, -1e300), [1 / 3, -1e300]],
    ["f32", Float32Array.of(0.1, -2), [Math.fround(0.1), -2]],
    ["i64", BigInt64Array.of(-1n, 2n ** 53n), [-1, 2 ** 53]],
    ["i32", Int32Array.of(-(2 ** 31), 7), [-(2 ** 31), 7]],
    ["i8", Int8Array.of(-128, 127), [-128, 127]],
    ["u8", Uint8Array.of(0, 255), [0, 255]],
    ["bool", Uint8Array.of(0, 2), [0, 1]],
  ])("%s, aligned or not", async (dtype, data, expected) => {
    for (const skip of [0, 1]) {
      expect([...(await readNumbers(stored(dtype, data, [2], skip)))]).toEqual(expected);
      expect([...(await readFloat32(stored(dtype, data, [2], skip)))]).toEqual(expected.map(Math.fround));
    }
  });
});

test("a tensor of several chunks has no seam", async () => {
  const data = Float32Array.from({ length: 2 ** 22 + 5 }, (_, i) => i);
  const values = await readFloat32(stored("f32", data, [data.length]));
  expect(Buffer.compare(Buffer.from(values.buffer), Buffer.from(data.buffer))).toBe(0);
});

describe("readRows", () => {
  const matrix = stored("i32", Int32Array.of(0, 1, 10, 11, 20, 21), [3, 2], 2);

  test("rows in the order asked for, repeats included", async () => {
    expect([...(await readRows(matrix, [2, 0, 2]))]).toEqual([20, 21, 0, 1, 20, 21]);
    expect([...(await readRows({ ...matrix, shape: [2, 3], strides: [1, 2] }, [1]))]).toEqual([1, 11, 21]);
    expect(await readRows(matrix, [])).toHaveLength(0);
  });

  test("reads no byte of the other rows", async () => {
    const asked: [offset: number, length: number][] = [];
    const source = {
      ...matrix.source,
      read: (offset: number, length: number) => {
        asked.push([offset, length]);
        return matrix.source.read(offset, length);
      },
    };
    await readRows({ ...matrix, source }, [1]);
    expect(asked).toEqual([[10, 8]]);
  });

  test.each([3, -1, 0.5, NaN])("row %d is refused", async (row) => {
    await expect(readRows(matrix, [0, row])).rejects.toThrow(ModelError);
    await expect(readRows(matrix, [0, row])).rejects.toThrow(`row ${row} is asked for, it has 3 rows`);
  });

  test("what is no matrix is refused", async () => {
    await expect(readRows({ ...matrix, shape: [6], strides: [1] }, [0])).rejects.toThrow(
      "[6], expected [rows, columns]",
    );
  });
});
