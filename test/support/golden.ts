/** The reference values of test/golden, and the models they were made with. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { subtree } from "../../src/checkpoint/checkpoint.js";
import { openCheckpoint } from "./tmp-open.js";
import { readNumbers } from "../../src/checkpoint/read.js";
import type { StoredTensor } from "../../src/checkpoint/tensor.js";
import type { MapSize } from "../../src/models/bsq-vae/feature-map.js";
import { inferVaeConfig, publishedVae } from "../../src/models/bsq-vae/tensors.js";
import { Vae } from "../../src/models/bsq-vae/vae.js";

const GOLDEN = fileURLToPath(new URL("../golden/", import.meta.url));

/** One case: what `case.json` says, and the tensors of its inputs and expected values. */
export interface GoldenCase {
  readonly model: string;
  readonly batch: number;
  readonly schedule: readonly MapSize[];
  readonly inputs: ReadonlyMap<string, StoredTensor>;
  readonly expected: ReadonlyMap<string, StoredTensor>;
}

/** Opens a case of test/golden/cases. */
export async function openCase(name: string): Promise<GoldenCase> {
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
    inputs: (await openCheckpoint(`${folder}case.safetensors`)).tensors,
    expected: (await openCheckpoint(`${folder}expected.safetensors`)).tensors,
  };
}

/** All values of a tensor of a case. */
export async function valuesOf(tensors: ReadonlyMap<string, StoredTensor>, name: string): Promise<Float64Array> {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`no tensor ${name}`);
  return readNumbers(tensor);
}

/** The autoencoder of a model of test/golden/models, on the CPU. */
export async function openVae(model: string): Promise<Vae> {
  const file = `${GOLDEN}models/${model}/vae.pth`;
  const tensors = publishedVae(subtree((await openCheckpoint(file)).tensors, ["vae", ""]), file);
  const lookup = (name: string): StoredTensor => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`${file}: no tensor ${name}`);
    return tensor;
  };
  return new Vae(inferVaeConfig(tensors, file), lookup, { device: "cpu" });
}
