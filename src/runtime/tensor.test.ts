import { expect, it } from "vitest";
import { float32, int64, values } from "./tensor.js";

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

it("makes an int64 tensor of whole numbers", () => {
  const tensor = int64([-1, 2 ** 40], [2]);
  expect(tensor.type).toBe("int64");
  expect([...(tensor.data as BigInt64Array)]).toEqual([-1n, 2n ** 40n]);
});

it("refuses data that does not fill the shape, and values of another type", () => {
  expect(() => float32(new Float32Array(5), [2, 3])).toThrow(/6.*5/);
  expect(() => values(int64([1], [1]))).toThrow(new TypeError("expected float32 values, found int64"));
});
