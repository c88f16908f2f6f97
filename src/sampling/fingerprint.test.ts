import { describe, expect, it } from "vitest";
import { bytesSource, type ByteSource } from "../checkpoint/source.js";
import type { ModelFiles } from "../models/assemble.js";
import type { Tensors } from "../models/manifest.js";
import { fingerprint } from "./fingerprint.js";

/** More than is read whole, so that samples decide. */
const LARGE = 5 * 2 ** 20;

function tensorsIn(...sources: ByteSource[]): Tensors {
  const tensor = { dtype: "u8", shape: [1], strides: [1], offset: 0 } as const;
  return new Map(
    sources.flatMap((source, i) => ["a", "b"].map((name) => [`${name}${i}`, { ...tensor, name, source }] as const)),
  );
}

/** A model whose transformer is in these files. */
function model(transformer: Readonly<Record<string, Uint8Array>>, tokenizer = "{}"): ModelFiles {
  const part = (files: Readonly<Record<string, Uint8Array>>): unknown => ({
    tensors: tensorsIn(...Object.entries(files).map(([name, bytes]) => bytesSource(name, bytes))),
    readJson: (name: string) => Promise.resolve({ [name]: tokenizer }),
  });
  const small = { "small.bin": new Uint8Array(100) };
  return { infinity: part(transformer), vae: part(small), textEncoder: part(small) } as ModelFiles;
}

describe("fingerprint", () => {
  it("is that of the content, whatever the files are called", async () => {
    const bytes = Uint8Array.from({ length: LARGE }, (_, i) => i % 251);
    const other = await fingerprint(model({ "b/x.pth": bytes, "b/y.pth": bytes.subarray(1) }));
    expect(await fingerprint(model({ "a/1.pth": bytes, "a/2.pth": bytes.subarray(1) }))).toBe(other);
    expect(other).toMatch(/^[0-9a-f]{64}$/);
  });

  it("differs by a byte at either end, by size, by order, by other weights and by the tokenizer", async () => {
    const bytes = new Uint8Array(LARGE);
    const at = (place: number): Uint8Array => bytes.with(place, 1);
    const all = [
      model({ x: bytes }),
      model({ x: at(0) }),
      model({ x: at(2 ** 20 - 1) }),
      model({ x: at(LARGE - 1) }),
      model({ x: at(LARGE - 2 ** 20) }),
      model({ x: bytes.subarray(1) }),
      model({ x: bytes.map((_, i) => (i >= 2 ** 20 && i < LARGE - 2 ** 20 ? 7 : 0)) }),
      model({ x: bytes, y: at(0) }),
      model({ x: at(0), y: bytes }),
      model({ x: bytes }, "other"),
    ];
    expect(new Set(await Promise.all(all.map(fingerprint))).size).toBe(all.length);
  });
});
