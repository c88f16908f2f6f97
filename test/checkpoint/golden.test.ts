/** Checkpoints written by PyTorch and by damage: test/golden/checkpoints and the models of test/golden/models. */
import { access, readFile, realpath, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { closeCheckpoint, subtree } from "../../src/checkpoint/checkpoint.js";
import { openCheckpoint } from "../../src/checkpoint/open.js";
import { readFloat32, readNumbers } from "../../src/checkpoint/read.js";
import { byteLength, elementCount, isContiguous, type StoredTensor } from "../../src/checkpoint/tensor.js";
import { CheckpointError } from "../../src/errors.js";

const GOLDEN = fileURLToPath(new URL("../golden/", import.meta.url));

/** A tensor as comparable data; NaN, −0 and 64-bit integers included, since doubles hold the golden values exactly. */
async function contents(tensor: StoredTensor): Promise<{ dtype: string; shape: readonly number[]; values: number[] }> {
  return { dtype: tensor.dtype, shape: tensor.shape, values: [...(await readNumbers(tensor))] };
}

describe("what PyTorch wrote reads exactly", () => {
  test.each([
    ["mixed.pth", "torch-zip", "vae"],
    ["legacy.pth", "torch-legacy", "state_dict"],
  ])("%s", async (file, format, prefix) => {
    const checkpoint = await openCheckpoint(`${GOLDEN}checkpoints/${file}`);
    const expected = await openCheckpoint(`${GOLDEN}checkpoints/expected.safetensors`);
    expect(checkpoint.format).toBe(format);
    const found = subtree(checkpoint.tensors, [prefix]);
    expect([...found.keys()]).toEqual([...expected.tensors.keys()]);
    expect(found.size).toBe(14);
    for (const [name, tensor] of expected.tensors) {
      expect(await contents(found.get(name)!)).toEqual(await contents(tensor));
    }
    await closeCheckpoint(checkpoint);
    await closeCheckpoint(expected);
  });

  test("training.pth: weights beside an optimizer, arguments and NumPy scalars, by protocol 5", async () => {
    const checkpoint = await openCheckpoint(`${GOLDEN}checkpoints/training.pth`);
    const values = async (name: string) => [...(await readNumbers(checkpoint.tensors.get(name)!))];
    expect(await values("trainer.gpt_fsdp.weight")).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await values("trainer.gpt_fsdp.bias")).toEqual([10, 11]);
    expect(await values("trainer.optimizer.state.0.step")).toEqual([1]);
    expect(await values("expanded")).toEqual([0, 1, 2, 0, 1, 2]);
    expect(checkpoint.tensors.get("expanded")).toMatchObject({ dtype: "i8", shape: [2, 3], strides: [0, 1] });
    expect(await values("param")).toEqual([1, 2]);
    // Two weights, three states of the optimizer for each, and the last two.
    expect(checkpoint.tensors.size).toBe(10);
    await closeCheckpoint(checkpoint);
  });

  test("a contiguous tensor's offset is where its bytes lie in the file", async () => {
    const path = `${GOLDEN}checkpoints/mixed.pth`;
    const checkpoint = await openCheckpoint(path);
    const file = await readFile(path);
    for (const tensor of checkpoint.tensors.values()) {
      if (tensor.dtype !== "f32" || !isContiguous(tensor)) continue;
      const bytes = file.subarray(tensor.offset, tensor.offset + byteLength(tensor));
      const values = await readFloat32(tensor);
      expect(bytes.equals(Buffer.from(values.buffer))).toBe(true);
      expect(tensor.source.path).toBe(await realpath(path));
    }
    await closeCheckpoint(checkpoint);
  });
});

describe("what is damaged or hostile is refused in one line that names the file", () => {
  test.each([
    ["evil.pth", /asks for "posix\.system", which is not part of a checkpoint; nothing ran/],
    ["huge-header.safetensors", /a length or offset of 1152921504606847000 is larger than any file/],
    ["not-a-checkpoint.pth", /neither a torch nor a safetensors checkpoint; 540 bytes that begin with "<html>404"/],
    ["out-of-range.safetensors", /tensor "f32": \[6, 4\] F32 needs 96 bytes, it has 1000000000/],
    ["truncated.pth", /no directory at the end of the archive; the file is truncated/],
    ["truncated.safetensors", /tensor "param": its data ends at byte 1618, the file at 1598/],
  ])("%s", async (file, message) => {
    const path = `${GOLDEN}checkpoints/${file}`;
    const error = await openCheckpoint(path).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CheckpointError);
    const { message: line } = error as CheckpointError;
    expect(line).toMatch(message);
    expect(line).not.toMatch(/\n/);
    expect(line.startsWith(path)).toBe(true);
  });

  test("evil.pth, whose pickle would touch a file, touches none", async () => {
    const target = "/tmp/scalekv-pwned";
    expect((await readFile(`${GOLDEN}checkpoints/evil.pth`)).includes(`touch ${target}`)).toBe(true);
    await rm(target, { force: true });
    await expect(openCheckpoint(`${GOLDEN}checkpoints/evil.pth`)).rejects.toThrow(CheckpointError);
    await expect(access(target)).rejects.toThrow("ENOENT");
  });
});

describe("models", () => {
  test.each([
    ["patchify/infinity.pth", "torch-zip"],
    ["patchify/vae.pth", "torch-zip"],
    ["t5", "sharded"],
  ])("every tensor of %s can be read and is finite", async (path, format) => {
    const checkpoint = await openCheckpoint(`${GOLDEN}models/${path}`);
    expect(checkpoint.format).toBe(format);
    expect(checkpoint.tensors.size).toBeGreaterThan(25);
    for (const tensor of checkpoint.tensors.values()) {
      const values = await readFloat32(tensor);
      expect(values).toHaveLength(elementCount(tensor.shape));
      expect(values.every(Number.isFinite)).toBe(true);
    }
    await closeCheckpoint(checkpoint);
  });
});
