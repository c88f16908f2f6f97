/**
 * Parity cases: inputs with known answers, run through the same code that draws for users. A case is a folder with
 * `case.json` and `case.safetensors`; what came out is written under the names of its `expected.safetensors`.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { closeCheckpoint, type Checkpoint } from "../checkpoint/checkpoint.js";
import { openCheckpoint } from "../checkpoint/open.js";
import { readFloat32, readNumbers } from "../checkpoint/read.js";
import { writeSafetensors, type WritableTensor } from "../checkpoint/write-safetensors.js";
import { ModelError, OptionError } from "../errors.js";
import { mapSize, mapToTokens, tokensToMap, type BitLayout } from "../models/bsq-vae/codes.js";
import type { ImageModelFiles } from "../models/assemble.js";
import { resolveModel } from "../models/folder.js";
import { PIXEL_CLASSES } from "../models/infinity/schedule.js";
import { T5Encoder } from "../models/t5/encoder.js";
import { openTextEncoder } from "../models/text-encoder.js";
import { chooseDevice } from "../runtime/device.js";
import type { ChooseBits } from "./draw-scales.js";
import { ImageModel } from "./image-model.js";
import { Recorder } from "./recorder.js";
import { sampleBits } from "./sampling.js";
import { resolveSettings, type Settings } from "./settings.js";
import type { PipelineOptions, TraceReport } from "./types.js";

const oneOrMany = z.union([z.number(), z.array(z.number())]);

/** `case.json` of a case that draws. */
const drawing = z.object({
  kind: z.enum(["forced", "greedy"]),
  pn: z.enum(PIXEL_CLASSES),
  h_div_w: z.number(),
  batch: z.number().int().positive(),
  guidance: oneOrMany,
  tau: oneOrMany,
  top_k: z.number().int().optional(),
  cfg_insertion_layer: z.array(z.number().int()),
  scalekv: z.null({ error: "is a case with a compressed cache, which this version does not run yet" }),
});

const caseSchema = z.discriminatedUnion("kind", [drawing, z.object({ kind: z.literal("t5") })]);

type DrawingCase = z.infer<typeof drawing>;
type Results = Map<string, WritableTensor>;

/** Runs one case; see {@link TraceReport}. An unreadable case is an `OptionError` or `CheckpointError`. */
export async function traceCase(
  model: string,
  caseFolder: string,
  out: string,
  options: PipelineOptions = {},
): Promise<TraceReport> {
  const begun = performance.now();
  const parsed = await readCase(join(caseFolder, "case.json"));
  const inputs = await openCheckpoint(join(caseFolder, "case.safetensors"));
  const results: Results = new Map();
  try {
    if (parsed.kind === "t5") await traceTexts(model, inputs, options, results);
    else await traceDrawing(model, parsed, inputs, options, results);
  } finally {
    await closeCheckpoint(inputs);
  }
  await writeSafetensors(out, results);
  return { kind: parsed.kind, tensors: results.size, seconds: (performance.now() - begun) / 1000 };
}

async function readCase(path: string): Promise<z.infer<typeof caseSchema>> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new OptionError(`${path}: ${error instanceof SyntaxError ? "is not JSON" : "cannot be read"}`);
  }
  const parsed = caseSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new OptionError([`${path}:`, ...(issue?.path ?? []), issue?.message ?? "is not a case"].join(" "));
}

/** `ids.I` in, `hidden.I` out. */
async function traceTexts(
  model: string,
  inputs: Checkpoint,
  options: PipelineOptions,
  results: Results,
): Promise<void> {
  const files = await openTextEncoder(model);
  try {
    const device = chooseDevice(options.device ?? "auto");
    const encoder = await T5Encoder.create(files.config, files, { device, threads: options.threads, stream: true });
    for (let i = 0; i === 0 || inputs.tensors.has(`ids.${i}`); i++) {
      const ids = [...(await readNumbers(tensorOf(inputs, `ids.${i}`)))];
      const data = await encoder.encode(ids, { signal: options.signal });
      results.set(`hidden.${i}`, { shape: [ids.length, files.config.width], data });
    }
  } finally {
    await files.close();
  }
}

/** `text.B`, `negative.B` and, where forced, `bits.K` in; `logits.K`, `bits.K` and `image` out. */
async function traceDrawing(
  model: string,
  parsed: DrawingCase,
  inputs: Checkpoint,
  options: PipelineOptions,
  results: Results,
): Promise<void> {
  const files = await resolveModel(model, { vae: options.vae, textEncoder: false });
  try {
    await traceWith(files, parsed, inputs, options, results);
  } finally {
    await files.close();
  }
}

async function traceWith(
  files: ImageModelFiles,
  parsed: DrawingCase,
  inputs: Checkpoint,
  options: PipelineOptions,
  results: Results,
): Promise<void> {
  const { config } = files.infinity;
  const settings = caseSettings(parsed, files.defaults, config.depth);
  const layout: BitLayout = { batch: parsed.batch, bits: files.vae.config.bits, patchify: config.patchify };
  const forced = parsed.kind === "forced" ? await forcedBits(inputs, settings, layout) : undefined;
  const device = chooseDevice(options.device ?? "auto");
  const image = await ImageModel.load(files, { device, threads: options.threads });
  try {
    const { images } = await image.draw({
      texts: await features(inputs, "text", parsed.batch, config.textChannels),
      negatives: inputs.tensors.has("negative.0")
        ? await features(inputs, "negative", parsed.batch, config.textChannels)
        : undefined,
      settings,
      recorder: new Recorder(),
      checkpoint: () => options.signal?.throwIfAborted(),
      chooseBits: recordBits(forced, settings, layout, config.bits, results),
    });
    results.set("image", { shape: [images.batch, images.height, images.width, 3], data: images.data });
  } finally {
    await image.dispose();
  }
}

function caseSettings(parsed: DrawingCase, defaults: Parameters<typeof resolveSettings>[1], depth: number): Settings {
  return resolveSettings(
    {
      pixels: parsed.pn,
      ratio: parsed.h_div_w,
      guidance: parsed.guidance,
      temperature: parsed.tau,
      guidanceLayers: parsed.cfg_insertion_layer,
      topK: parsed.top_k ?? 1,
      topP: 0,
    },
    defaults,
    { images: parsed.batch, depth },
  );
}

/** Takes down every scale's logits and bits, and answers with the forced bits or the sampler's. */
function recordBits(
  forced: readonly Uint8Array[] | undefined,
  { schedule, limits }: Settings,
  layout: BitLayout,
  bits: number,
  results: Results,
): ChooseBits {
  return (scale, logits) => {
    const size = schedule.maps[scale]!;
    const tokens = size.height * size.width;
    const choose = (image: Float32Array): Uint8Array => sampleBits({ logits: image, tokens, bits }, limits, 0, scale);
    const chosen = forced?.[scale] ?? Uint8Array.from(logits.flatMap((image) => [...choose(image)]));
    const map = mapSize(size, layout.patchify);
    const all = Float32Array.from(logits.flatMap((image) => [...image]));
    results.set(`logits.${scale}`, { shape: [logits.length, tokens, 2 * bits], data: all });
    const data = tokensToMap(chosen, layout, map);
    results.set(`bits.${scale}`, { shape: [layout.batch, map.height, map.width, layout.bits], data });
    return chosen;
  };
}

/** `bits.K`, [batch, H, W, d] on the VAE's map, as tokens. */
async function forcedBits(inputs: Checkpoint, { schedule }: Settings, layout: BitLayout): Promise<Uint8Array[]> {
  return Promise.all(
    schedule.maps.map(async (map, scale) => {
      const stored = tensorOf(inputs, `bits.${scale}`);
      const size = mapSize(map, layout.patchify);
      const expected = [layout.batch, size.height, size.width, layout.bits];
      if (stored.shape.join() !== expected.join()) {
        throw new OptionError(`bits.${scale}: [${stored.shape.join(", ")}], expected [${expected.join(", ")}]`);
      }
      return mapToTokens(Uint8Array.from(await readNumbers(stored)), layout, size);
    }),
  );
}

/** The encoder's features `name.0`, `name.1`, …, [tokens, channels] each. */
function features(inputs: Checkpoint, name: string, batch: number, channels: number): Promise<Float32Array[]> {
  return Promise.all(
    Array.from({ length: batch }, (_, i) => {
      const stored = tensorOf(inputs, `${name}.${i}`);
      const [tokens = 0, width] = stored.shape;
      if (stored.shape.length === 2 && tokens > 0 && width === channels) return readFloat32(stored);
      throw new OptionError(`${name}.${i}: [${stored.shape.join(", ")}], expected [tokens, ${channels}]`);
    }),
  );
}

function tensorOf(inputs: Checkpoint, name: string): Parameters<typeof readFloat32>[0] {
  const tensor = inputs.tensors.get(name);
  if (!tensor) throw new ModelError(`${inputs.path}: tensor ${name} is missing`);
  return tensor;
}
