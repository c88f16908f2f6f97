/**
 * A model folder of published size with random weights: every tensor of the manifest, in bf16, in the files and under
 * the names its publishers use. It shows that a real checkpoint loads and what it costs, without having one.
 */
import { copyFile, mkdir, open, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { closeCheckpoint } from "../src/checkpoint/checkpoint.js";
import { openCheckpoint } from "../src/checkpoint/open.js";
import { byteLength, rowMajorStrides, type StoredTensor } from "../src/checkpoint/tensor.js";
import { publishedShapes, writeSparse, type Shapes } from "../test/support/manifests.js";
import { pickle, pickledTensor, writeSparse as writePlaced, zipLayout } from "../test/support/torch-file.js";

/** Sizes of the FLAN-T5-XL encoder, as its config.json states them. */
const XL = {
  model_type: "t5",
  d_model: 2048,
  d_kv: 64,
  num_heads: 32,
  d_ff: 5120,
  num_layers: 24,
  vocab_size: 32128,
  relative_attention_num_buckets: 32,
  relative_attention_max_distance: 128,
  feed_forward_proj: "gated-gelu",
  layer_norm_epsilon: 1e-6,
};

/** Writes the 2B model, its autoencoder and a text encoder of XL size (with the embedded model's tokenizer). */
export async function writeSynthetic2B(folder: string): Promise<void> {
  const { transformer, vae } = publishedShapes("infinity_2b");
  await writeTorch(join(folder, "infinity_2b_reg.pth"), transformer, "");
  await writeTorch(join(folder, "infinity_vae_d32reg.pth"), vae, "vae");
  const t5 = join(folder, "flan-t5-xl");
  await mkdir(t5);
  await writeSparse(join(t5, "model.safetensors"), t5Shapes());
  await fill(join(t5, "model.safetensors"));
  await writeFile(join(t5, "config.json"), JSON.stringify(XL));
  for (const file of ["tokenizer.json", "tokenizer_config.json"])
    await copyFile(join("models/tiny/t5", file), join(t5, file));
}

/** Writes the 2B model's autoencoder alone. */
export function writeSyntheticVae(path: string): Promise<void> {
  return writeTorch(path, publishedShapes("infinity_2b").vae, "vae");
}

/** Lays a torch zip file out with empty storages and fills them where our own reader finds them. */
async function writeTorch(path: string, shapes: Shapes, nesting: string): Promise<void> {
  const all = [...shapes].map(([name, shape], i) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const storage = { key: String(i), storage: "BFloat16Storage", count, shape, strides: rowMajorStrides(shape) };
    return { name, bytes: 2 * count, pickled: pickledTensor(storage) };
  });
  const flat = pickle.dictionary(Object.fromEntries(all.map(({ name, pickled }) => [name, pickled])));
  const root = nesting === "" ? flat : pickle.dictionary({ [nesting]: flat });
  const storages = all.map(({ bytes }, i) => ({ name: `archive/data/${i}`, bytes: new Uint8Array(0), zeros: bytes }));
  await writePlaced(path, zipLayout([{ name: "archive/data.pkl", bytes: pickle.file(root) }, ...storages]));
  await fill(path);
}

function t5Shapes(): Shapes {
  const inner = XL.num_heads * XL.d_kv;
  const shapes = new Map<string, readonly number[]>([["shared.weight", [XL.vocab_size, XL.d_model]]]);
  for (let block = 0; block < XL.num_layers; block++) {
    const [attention, feed] = [`encoder.block.${block}.layer.0`, `encoder.block.${block}.layer.1`];
    for (const part of ["q", "k", "v"]) shapes.set(`${attention}.SelfAttention.${part}.weight`, [inner, XL.d_model]);
    shapes.set(`${attention}.SelfAttention.o.weight`, [XL.d_model, inner]);
    if (block === 0) shapes.set(`${attention}.SelfAttention.relative_attention_bias.weight`, [32, XL.num_heads]);
    shapes.set(`${attention}.layer_norm.weight`, [XL.d_model]);
    shapes.set(`${feed}.DenseReluDense.wi_0.weight`, [XL.d_ff, XL.d_model]);
    shapes.set(`${feed}.DenseReluDense.wi_1.weight`, [XL.d_ff, XL.d_model]);
    shapes.set(`${feed}.DenseReluDense.wo.weight`, [XL.d_model, XL.d_ff]);
    shapes.set(`${feed}.layer_norm.weight`, [XL.d_model]);
  }
  return shapes.set("encoder.final_layer_norm.weight", [XL.d_model]);
}

const BLOCK = 2 ** 20;

/** A block of normal random numbers, the same in every run. */
const NORMAL = Float32Array.from({ length: BLOCK }, (_, i) => {
  const [u, v] = [uniform(2 * i + 1), uniform(2 * i + 2)];
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
});

/** A number in (0, 1) for every i, by a multiplicative hash. */
function uniform(i: number): number {
  let x = Math.imul(i ^ (i >>> 16), 0x45d9f3b);
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32 + 2 ** -33;
}

/** Writes every tensor's values into the file, at the place where the tensor lies. */
async function fill(path: string): Promise<void> {
  const checkpoint = await openCheckpoint(path);
  const file = await open(path, "r+");
  for (const tensor of checkpoint.tensors.values()) await fillTensor(file, tensor);
  await file.close();
  await closeCheckpoint(checkpoint);
}

async function fillTensor(file: FileHandle, tensor: StoredTensor): Promise<void> {
  const block = bfloats(tensor);
  for (let done = 0, size = byteLength(tensor); done < size; done += block.byteLength) {
    await file.write(block, 0, Math.min(block.byteLength, size - done), tensor.offset + done);
  }
}

/**
 * One block of values for a tensor: norms about 1, vectors small, matrices scaled to keep a signal's size. Every tensor
 * begins at another place of the block: ONNX Runtime holds equal weights of a graph only once, and no model has any.
 */
function bfloats({ name, shape }: StoredTensor): Uint8Array {
  const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
  const isNorm = /norm\d?\.(norm\.)?weight$/.test(name);
  const spread = shape.length < 2 || isNorm ? 0.02 : 1 / Math.sqrt(fanIn);
  let start = 7;
  for (let i = 0; i < name.length; i++) start = (Math.imul(start, 31) + name.charCodeAt(i)) >>> 0;
  const values = NORMAL.map((_, i) => (isNorm ? 1 : 0) + spread * NORMAL[(start + i) % BLOCK]!);
  return new Uint8Array(Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16).buffer);
}
