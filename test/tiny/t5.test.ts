/** The embedded model's text encoder, from prompt to features: float16 weights, real files, no reference values. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFloat32 } from "../../src/checkpoint/read.js";
import { bytesSource } from "../../src/checkpoint/source.js";
import { rowMajorStrides, type StoredTensor } from "../../src/checkpoint/tensor.js";
import { ModelError, OptionError } from "../../src/errors.js";
import { encodePrompts, withPositivePrompt } from "../../src/generate/text.js";
import { loadTokenizer, type Tokenizer } from "../../src/generate/tokenizer.js";
import { T5Encoder } from "../../src/models/t5/encoder.js";
import { openTextEncoder } from "../../src/models/text-encoder.js";

const FOLDER = fileURLToPath(new URL("../../models/tiny/t5", import.meta.url));
const TEXTS = [[5, 17, 300, 1], [1], [8, 9, 10, 11, 12, 13, 1], [643, 0, 2, 1]];

let files: Awaited<ReturnType<typeof openTextEncoder>>;
let tokenizer: Tokenizer;
let resident: T5Encoder;
let streamed: T5Encoder;

beforeAll(async () => {
  files = await openTextEncoder(FOLDER);
  tokenizer = await loadTokenizer(files);
  resident = await T5Encoder.create(files.config, files, { device: "cpu", stream: false });
  streamed = await T5Encoder.create(files.config, files, { device: "cpu", stream: true });
});

afterAll(async () => {
  await resident.dispose();
  await streamed.dispose();
  await files.close();
});

/** The same tensor as float32 in memory. */
async function widened(tensor: StoredTensor): Promise<StoredTensor> {
  const source = bytesSource("memory", new Uint8Array((await readFloat32(tensor)).buffer));
  return { ...tensor, dtype: "f32", strides: rowMajorStrides(tensor.shape), source, offset: 0 };
}

describe("T5Encoder", () => {
  it("gives a text the same features each time, whatever texts it comes with", async () => {
    const together = await resident.encodeAll(TEXTS);
    for (const [i, ids] of TEXTS.entries()) {
      expect(together[i]).toHaveLength(ids.length * files.config.width);
      expect(await resident.encode(ids)).toEqual(together[i]);
    }
    expect(together.flatMap((features) => [...features]).every(Number.isFinite)).toBe(true);
    expect(together[0]?.slice(-files.config.width)).not.toEqual(together[1]);
  });

  it("gives the same features streamed as resident, holding one layer of two", async () => {
    expect(await streamed.encodeAll(TEXTS)).toEqual(await resident.encodeAll(TEXTS));
    // Four 256 × 256 matrices, three of 256 × 512 and two norms, 4 bytes a number.
    expect(streamed.weightsBytes).toBe(4 * (4 * 256 * 256 + 3 * 256 * 512 + 2 * 256));
    expect(resident.weightsBytes).toBe(2 * streamed.weightsBytes);
  });

  it("gives the same features from float16 in a file as from float32 in memory", async () => {
    const tensors = new Map<string, StoredTensor>();
    for (const [name, tensor] of files.tensors) tensors.set(name, await widened(tensor));
    const encoder = await T5Encoder.create(files.config, { path: "memory", tensors }, { device: "cpu", stream: true });
    expect(await encoder.encodeAll(TEXTS)).toEqual(await resident.encodeAll(TEXTS));
  });

  it("tells of every layer and stops before the next when asked to", async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const onLayer = (layer: number, layers: number): void => {
      seen.push(`${layer}/${layers}`);
      if (seen.length === 3) controller.abort(new Error("enough"));
    };
    await streamed.encodeAll(TEXTS, { onLayer });
    await expect(streamed.encodeAll(TEXTS, { onLayer, signal: controller.signal })).rejects.toThrow("enough");
    expect(seen).toEqual(["1/2", "2/2", "1/2"]);
  });

  it("refuses no tokens and tokens of another vocabulary", async () => {
    await expect(resident.encode([])).rejects.toThrow(OptionError);
    await expect(resident.encode([5, 644])).rejects.toThrow(ModelError);
    await expect(resident.encode([5, 644])).rejects.toThrow(/token 644 is outside the vocabulary of 644/);
    await expect(resident.encode([-1])).rejects.toThrow(ModelError);
  });

  it("names a tensor that is missing or has another shape than the configuration says", async () => {
    const options = { device: "cpu", stream: true } as const;
    const tensors = new Map(files.tensors);
    tensors.delete("encoder.block.1.layer.1.DenseReluDense.wo.weight");
    await expect(T5Encoder.create(files.config, { path: "x", tensors }, options)).rejects.toThrow(
      "x: not the T5 encoder of its config.json: encoder.block.1.layer.1.DenseReluDense.wo.weight [256, 512] is missing",
    );
    await expect(T5Encoder.create({ ...files.config, hidden: 513 }, files, options)).rejects.toThrow(
      /DenseReluDense\.wi_0\.weight is \[512, 256\], expected \[513, 256\]/,
    );
  });

  it("refuses work after it was disposed", async () => {
    const encoder = await T5Encoder.create(files.config, files, { device: "cpu", stream: false });
    await encoder.dispose();
    await expect(encoder.encode([1])).rejects.toThrow("disposed");
  });
});

describe("encodePrompts", () => {
  it("takes prompts to features, an empty one too", async () => {
    const texts = await encodePrompts(["a red fox in the snow", ""], { tokenizer, encoder: resident });
    expect(texts.map(({ ids }) => ids.length)).toEqual([7, 1]);
    for (const { ids, features } of texts) expect(features).toEqual(await resident.encode(ids));
  });

  it("appends the words about faces only when asked to", async () => {
    const [plain, asked] = [false, true].map((positivePrompt) =>
      encodePrompts(["a man"], { tokenizer, encoder: resident }, { positivePrompt }),
    );
    expect((await plain)?.[0]?.ids).toEqual(tokenizer.encode("a man"));
    expect((await asked)?.[0]?.ids).toEqual(tokenizer.encode(withPositivePrompt("a man")));
  });
});
