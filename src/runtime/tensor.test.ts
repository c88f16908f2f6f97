import { expect, it } from "vitest";
import { discard, float16, float32, float64, int64, int8, uint8, values } from "./tensor.js";

it("makes a float32 tensor of the caller's own memory", () => {
  const memory = new Float32Array(10);
  const tensor = float32(memory.subarray(2, 8), [2, 3]);
  expect({ type: tensor.type, dims: tensor.dims, size: tensor.size }).toEqual({
    type: "float32",
    dims: [2, 3],
    size: 6,
  });
  memory[2] = 7;
  expect(values(tensor)[0]).toBe(7);
});

it("makes float16 and int8 tensors of the caller's own memory", () => {
  // 1 as a float16 is 0x3c00. Where JavaScript has a Float16Array the tensor holds one, over the same bits.
  const halves = Uint16Array.of(0, 0x3c00, 0xbc00);
  const half = float16(halves.subarray(1), [2, 1]);
  expect({ type: half.type, dims: half.dims }).toEqual({ type: "float16", dims: [2, 1] });
  const { buffer, byteOffset, byteLength } = half.data as Uint16Array;
  expect([buffer, byteOffset, byteLength]).toEqual([halves.buffer, 2, 4]);
  const bytes = Int8Array.of(-127, 5);
  const quarter = int8(bytes, [2]);
  expect({ type: quarter.type, dims: quarter.dims }).toEqual({ type: "int8", dims: [2] });
  expect(quarter.data).toBe(bytes);
});

it("makes float64 and uint8 tensors of the caller's own memory", () => {
  const doubles = Float64Array.of(1, 2);
  expect(float64(doubles, [1, 2])).toMatchObject({ type: "float64", dims: [1, 2], data: doubles });
  const levels = Uint8Array.of(0, 255, 7);
  expect(uint8(levels, [3]).data).toBe(levels);
});

it("makes an int64 tensor of whole numbers", () => {
  const tensor = int64([-1, 2 ** 40], [2]);
  expect(tensor.type).toBe("int64");
  expect([...(tensor.data as BigInt64Array)]).toEqual([-1n, 2n ** 40n]);
});

it("refuses data that does not fill the shape, and values of another type", () => {
  expect(() => float32(new Float32Array(5), [2, 3])).toThrow(/6.*5/);
  expect(() => values(int64([1], [1]))).toThrow(new TypeError("expected float32 values, found int64"));
});

it("gives the memory of a tensor back, with all of its buffer", () => {
  const memory = new Float32Array(8);
  discard(float32(memory.subarray(2, 4), [2]));
  expect(memory.length).toBe(0);
  expect(memory.buffer.byteLength).toBe(0);
});

it("leaves nothing of it for the collector", () => {
  const held = (): number => process.memoryUsage().arrayBuffers;
  const before = held();
  for (let i = 0; i < 4; i++) discard(float32(new Float32Array(2 ** 20), [2 ** 20]));
  expect(held() - before).toBeLessThan(2 ** 22);
});
