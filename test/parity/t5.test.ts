/**
 * The T5 encoder against a plain PyTorch one on a CPU in float32 (test/golden/cases/t5): a sharded checkpoint whose
 * head dimensions do not add up to its width, texts of 1 to 200 tokens, beyond the last bucket's distance of 128.
 *
 * No value may differ by more than 1e-4 of the text's largest absolute value; sums in another order make some 1e-6.
 */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { closeCheckpoint, type Checkpoint } from "../../src/checkpoint/checkpoint.js";
import { openCheckpoint } from "../../src/checkpoint/open.js";
import { readFloat32, readNumbers } from "../../src/checkpoint/read.js";
import type { StoredTensor } from "../../src/checkpoint/tensor.js";
import { T5Encoder } from "../../src/models/t5/encoder.js";
import { openTextEncoder } from "../../src/models/text-encoder.js";

const TOLERANCE = 1e-4;
const GOLDEN = fileURLToPath(new URL("../golden", import.meta.url));

let inputs: Checkpoint;
let expected: Checkpoint;
let files: Awaited<ReturnType<typeof openTextEncoder>>;
let encoder: T5Encoder;

function tensor({ tensors, path }: Checkpoint, name: string): StoredTensor {
  const found = tensors.get(name);
  if (!found) throw new Error(`${path}: no tensor ${name}`);
  return found;
}

beforeAll(async () => {
  inputs = await openCheckpoint(`${GOLDEN}/cases/t5/case.safetensors`);
  expected = await openCheckpoint(`${GOLDEN}/cases/t5/expected.safetensors`);
  files = await openTextEncoder(`${GOLDEN}/models/t5`);
  encoder = await T5Encoder.create(files.config, files, { device: "cpu", stream: false });
});

afterAll(async () => {
  await encoder.dispose();
  await files.close();
  await closeCheckpoint(inputs);
  await closeCheckpoint(expected);
});

it.each([
  [0, 1],
  [1, 7],
  [2, 40],
  [3, 200],
])("text %i of %i tokens has the reference's hidden state", async (text, length) => {
  const ids = [...(await readNumbers(tensor(inputs, `ids.${text}`)))];
  const reference = await readFloat32(tensor(expected, `hidden.${text}`));
  const hidden = await encoder.encode(ids);
  expect(ids).toHaveLength(length);
  expect(hidden).toHaveLength(reference.length);
  const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = reference.reduce((most, value, i) => Math.max(most, Math.abs(value - (hidden[i] ?? NaN))), 0);
  expect(difference / largest).toBeLessThanOrEqual(TOLERANCE);
});
