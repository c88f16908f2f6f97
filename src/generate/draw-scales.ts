/**
 * The generation loop: scale by scale, all tokens of a scale at once. Each scale runs through the layers, its logits
 * become bits, the bits' codes are added to the image so far, and that sum, resized, is where the next scale starts.
 */
import type { KeptPositions, KvCache } from "../cache/kv-cache.js";
import { ModelError } from "../errors.js";
import type { WeightType } from "../graph/model.js";
import type { CodeAccumulator } from "../models/bsq-vae/accumulator.js";
import { rotaryTables } from "../models/infinity/rope.js";
import { mapTokens, type ScaleSize } from "../models/infinity/schedule.js";
import type { TextRows } from "../models/infinity/text.js";
import type { ScaleContext, Transformer } from "../models/infinity/transformer.js";
import { untimed, type Clock } from "../runtime/clock.js";
import type { Tensor } from "../runtime/tensor.js";
import { guideLogits } from "./sampling.js";
import type { Settings } from "./settings.js";

/** Who decides the bits of a scale: the sampler, or a case that forces them. Returns [batch, tokens, bits of a token]. */
export type ChooseBits = (scale: number, logits: readonly Float32Array[]) => Uint8Array;

/** One run of the loop. */
export interface Drawing {
  readonly transformer: Transformer;
  readonly settings: Settings;
  /** Images drawn side by side. */
  readonly batch: number;
  /** The batch's texts and, where guidance is on, the unconditional ones after them. */
  readonly text: TextRows;
  readonly cache: KvCache;
  /** Collects the codes; holds the image's feature map when the loop ends. */
  readonly codes: CodeAccumulator;
  readonly chooseBits: ChooseBits;
  /** Takes the time of a scale's parts. */
  readonly time?: Clock | undefined;
  /** Throws once the caller has given up; asked before every layer. */
  readonly checkpoint: () => void;
  /** Layer `layer` of scale `scale` is done. */
  readonly onLayer?: ((scale: number, layer: number) => void) | undefined;
  /** Of layer `layer` only these positions stay after scale `scale`. */
  readonly onKept?: ((scale: number, layer: number, kept: KeptPositions) => void) | undefined;
  /** Scale `scale` is done and its codes are added. */
  readonly onScale?: ((scale: number) => void | Promise<void>) | undefined;
}

/** Draws all scales into `codes`. @throws ModelError where logits are no finite numbers */
export async function drawScales(drawing: Drawing): Promise<void> {
  const { settings, transformer, text, codes, time = untimed } = drawing;
  for (const [scale, map] of settings.schedule.maps.entries()) {
    const start = scale === 0 ? text.start : await time("embedding", () => embedScale(drawing, scale, map));
    const hidden = await time("layers", () => runLayers(drawing, start, scale, map));
    const logits = await time("head", () => transformer.logits(hidden, text));
    requireFinite(logits, scale, transformer.weights);
    const bits = await time("sampling", () => drawing.chooseBits(scale, mixLogits(drawing, logits, scale)));
    await time("codes", () => codes.add(scale, bits));
    await drawing.onScale?.(scale);
  }
}

/** The hidden state a scale starts with: the same codes in every row of an image. */
function embedScale({ transformer, text, batch, codes }: Drawing, scale: number, map: ScaleSize): Promise<Tensor> {
  const images = codes.features(scale);
  const rows = new Float32Array((images.length / batch) * text.rows);
  for (let copy = 0; copy < text.rows / batch; copy++) rows.set(images, copy * images.length);
  return transformer.embed(rows, text.rows, mapTokens(map), scale);
}

async function runLayers(drawing: Drawing, start: Tensor, scale: number, map: ScaleSize): Promise<Tensor> {
  const { transformer, settings, text, cache, time = untimed } = drawing;
  const { schedule, guidance, guideAfter } = settings;
  const context: ScaleContext = {
    text,
    tokens: mapTokens(map),
    rotary: rotaryTables(map, schedule.grid, transformer.config.width / transformer.config.heads),
    cache,
    scale,
    remember: scale < cache.scales,
    time,
  };
  let x = start;
  try {
    for (let layer = 0; layer < transformer.config.depth; layer++) {
      drawing.checkpoint();
      const { y, kept } = await transformer.layer(layer, x, context);
      x = y;
      if (kept) drawing.onKept?.(scale, layer, kept);
      const factor = guidance[scale]!;
      if (guideAfter.has(layer) && factor !== 1) x = await time("guidance", () => transformer.guide(x, factor));
      drawing.onLayer?.(scale, layer);
    }
    return x;
  } catch (error) {
    // A layer or the guidance that failed has disposed of it already; a second time does no harm.
    x.dispose();
    throw error;
  }
}

/** Refuses logits that are no numbers: they would draw only zeros. */
function requireFinite(logits: Float32Array, scale: number, weights: WeightType): void {
  if (logits.every(Number.isFinite)) return;
  const why = weights === "fp16" ? "; in float16 numbers end at 65,504, which fp32 and q8 go beyond" : "";
  throw new ModelError(
    `weights ${weights}: at scale ${scale + 1} the transformer gives logits that are no numbers${why}`,
  );
}

/** Temperature and guidance: from the logits of all rows to those of each image, [tokens, bits, 2]. */
function mixLogits({ settings, text, batch }: Drawing, logits: Float32Array, scale: number): Float32Array[] {
  const guidance = settings.guidance[scale]!;
  const temperature = settings.temperature[scale]!;
  const length = logits.length / text.rows;
  const row = (index: number): Float32Array => logits.subarray(index * length, (index + 1) * length);
  const mixed = settings.guideLogits && guidance !== 1;
  return Array.from({ length: batch }, (_, image) =>
    guideLogits(row(image), mixed ? row(batch + image) : undefined, guidance, temperature),
  );
}
