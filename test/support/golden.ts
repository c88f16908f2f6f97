/** The reference values of test/golden and the autoencoders they were made with. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { subtree } from "../../src/checkpoint/checkpoint.js";
import { openCheckpoint } from "../../src/checkpoint/open.js";
import { readFloat32 } from "../../src/checkpoint/read.js";
import type { MapSize } from "../../src/models/bsq-vae/feature-map.js";
import { inferVaeConfig, publishedVae } from "../../src/models/bsq-vae/tensors.js";
import { Vae } from "../../src/models/bsq-vae/vae.js";
import { lookupIn } from "../../src/models/lookup.js";

/** The folder of the reference values. */
export const GOLDEN = fileURLToPath(new URL("../golden/", import.meta.url));

/** Cases whose bits are forced, with the full cache. */
export const FORCED_CASES = [
  "full-006m",
  "full-006m-batch3",
  "full-006m-layer-guidance",
  "full-006m-negative",
  "full-006m-no-guidance",
  "full-006m-patchify",
  "full-006m-tall",
  "full-006m-wide",
];

/** Cases that take the likelier value of every bit, with the full cache. */
export const GREEDY_CASES = ["greedy-full-006m", "greedy-full-006m-patchify"];

/** A tensor of a case, read whole. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** One case: what `case.json` says of it, its inputs and its expected values. */
export interface GoldenCase {
  readonly model: string;
  readonly batch: number;
  /** In tokens. */
  readonly schedule: readonly MapSize[];
  readonly inputs: Tensors;
  readonly expected: Tensors;
}

/** Tensors by name. */
export type Tensors = ReadonlyMap<string, GoldenTensor>;

/** Reads a case of test/golden/cases. */
export async function readCase(name: string): Promise<GoldenCase> {
  const folder = `${GOLDEN}cases/${name}/`;
  const { model, batch, schedule } = JSON.parse(await readFile(`${folder}case.json`, "utf8")) as {
    model: string;
    batch: number;
    schedule: [height: number, width: number][];
  };
  return {
    model,
    batch,
    schedule: schedule.map(([height, width]) => ({ height, width })),
    inputs: await readTensors(`${folder}case.safetensors`),
    expected: await readTensors(`${folder}expected.safetensors`),
  };
}

/** Every tensor of a file. */
export async function readTensors(file: string): Promise<Tensors> {
  const { tensors, sources } = await openCheckpoint(file);
  const read = new Map<string, GoldenTensor>();
  for (const [name, tensor] of tensors) read.set(name, { shape: tensor.shape, values: await readFloat32(tensor) });
  for (const source of sources) await source.close();
  return read;
}

/** A tensor of a case by name. */
export function golden(tensors: Tensors, name: string): GoldenTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`the case has no tensor ${name}`);
  return tensor;
}

/** An autoencoder of test/golden/models on the CPU, and how to be rid of it. */
export async function openVae(model: string): Promise<{ vae: Vae; close: () => Promise<void> }> {
  const file = `${GOLDEN}models/${model}/vae.pth`;
  const checkpoint = await openCheckpoint(file);
  const tensors = publishedVae(subtree(checkpoint.tensors, ["vae"]), file);
  const vae = new Vae(inferVaeConfig(tensors, file), lookupIn(tensors, file), { device: "cpu" });
  const close = async (): Promise<void> => {
    await vae.dispose();
    for (const source of checkpoint.sources) await source.close();
  };
  return { vae, close };
}
