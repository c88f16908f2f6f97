/** Which model it is, by its files' content and not by their names, and without reading gigabytes. */
import { createHash, type Hash } from "node:crypto";
import type { ByteSource } from "../checkpoint/source.js";
import type { ModelFiles } from "../models/assemble.js";
import type { Tensors } from "../models/manifest.js";

/** Bytes that are hashed from the beginning of a file, where formats keep their headers, and from its end. */
const ENDS = 2 ** 20;
/** Between them, this many samples of so many bytes each: retrained weights have the same headers. */
const SAMPLES = 16;
const SAMPLE_BYTES = 2 ** 12;

/** Files that decide what a text means, beside the encoder's weights. */
const TEXT_FILES = ["config.json", "tokenizer.json", "tokenizer_config.json"];

/**
 * SHA-256 over sizes and samples of all files, in 64 hexadecimal digits. A zip's directory, at its end, holds checksums of
 * the whole content; of a safetensors file a change of few weights can go unnoticed, another training cannot.
 */
export async function fingerprint({ infinity, vae, textEncoder }: ModelFiles): Promise<string> {
  const hash = createHash("sha256");
  for (const [part, { tensors }] of Object.entries({ infinity, vae, textEncoder })) {
    for (const source of sourcesOf(tensors)) {
      hash.update(`${part} ${source.size}\n`);
      await addSamples(hash, source);
    }
  }
  for (const name of TEXT_FILES) hash.update(JSON.stringify(await textEncoder.readJson(name)));
  return hash.digest("hex");
}

/** The files behind tensors, shards in the order of their names. */
function sourcesOf(tensors: Tensors): ByteSource[] {
  const sources = new Set([...tensors.values()].map(({ source }) => source));
  return [...sources].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function addSamples(hash: Hash, source: ByteSource): Promise<void> {
  const { size } = source;
  if (size <= 2 * ENDS + SAMPLES * SAMPLE_BYTES) {
    hash.update(await source.read(0, size));
    return;
  }
  hash.update(await source.read(0, ENDS));
  const step = Math.floor((size - 2 * ENDS - SAMPLE_BYTES) / (SAMPLES - 1));
  for (let sample = 0; sample < SAMPLES; sample++) hash.update(await source.read(ENDS + sample * step, SAMPLE_BYTES));
  hash.update(await source.read(size - ENDS, ENDS));
}
