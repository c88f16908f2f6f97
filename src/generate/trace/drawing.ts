/** Cases that draw, with forced bits or greedily, with the full cache or a compressed one. */
import { scalekv } from "../../cache/policies/scalekv.js";
import type { Policy } from "../../cache/policy.js";
import type { Checkpoint } from "../../checkpoint/checkpoint.js";
import { readFloat32, readNumbers } from "../../checkpoint/read.js";
import { OptionError } from "../../errors.js";
import type { ImageModelFiles } from "../../models/assemble.js";
import { mapSize, mapToTokens, tokensToMap, type BitLayout } from "../../models/bsq-vae/codes.js";
import { resolveModel } from "../../models/folder.js";
import { chooseDevice } from "../../runtime/device.js";
import type { ChooseBits } from "../draw-scales.js";
import { ImageModel } from "../image-model.js";
import { Recorder } from "../recorder.js";
import { sampleBits } from "../sampling.js";
import { resolveSettings, type Settings } from "../settings.js";
import type { PipelineOptions } from "../types.js";
import { tensorOf, type DrawingCase, type Results } from "./case-file.js";

/**
 * `text.B`, `negative.B` and, where forced, `bits.K` in; `logits.K`, `bits.K`, `image` and, where something was evicted,
 * `kept.K.LAYER` out.
 */
export async function traceDrawing(
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
  const { threads, weights, cache } = options;
  const image = await ImageModel.load(files, { device, threads, weights, storage: cache?.storage });
  try {
    const { images } = await image.draw({
      texts: await features(inputs, "text", parsed.batch, config.textChannels),
      negatives: inputs.tensors.has("negative.0")
        ? await features(inputs, "negative", parsed.batch, config.textChannels)
        : undefined,
      settings,
      recorder: new Recorder(),
      checkpoint: () => options.signal?.throwIfAborted(),
      plan: image.plan(settings, parsed.batch, parsed.scalekv ? casePolicy(parsed.scalekv) : undefined),
      chooseBits: recordBits(forced, settings, layout, config.bits, results),
      onKept: (scale, layer, lanes) => {
        const shape = [lanes.length / config.heads, config.heads, lanes[0]!.length];
        results.set(`kept.${scale}.${layer}`, { shape, data: Int32Array.from(lanes.flatMap((lane) => lane!)) });
      },
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

/** The published code's ScaleKV with the case's capacities: row s + 2 of its table holds after scale index s. */
function casePolicy(scalekvCase: NonNullable<DrawingCase["scalekv"]>): Policy {
  const {
    cache_sizes: rows,
    base_capacity: baseCapacity,
    window_size: window,
    kernel_size: size,
    pooling,
  } = scalekvCase;
  const capacities = rows.slice(2).map((row) => row ?? undefined);
  return scalekv({ capacities, baseCapacity, window, scoring: "reference", pooling: { kind: pooling, size } });
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
