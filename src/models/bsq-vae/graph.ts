/**
 * The two halves of the autoencoder as graphs, convolutional throughout: residual blocks of (group norm, SiLU, 3 × 3
 * convolution) twice, nearest-neighbour doubling on the way up, stride 2 on the way down, no attention. Height and
 * width are free; the batch is 1, since one image at a time bounds the memory (at 1024² a single map takes a GiB).
 */
import { ModelError } from "../../errors.js";
import { GraphBuilder, type Value } from "../../graph/builder.js";
import type { GraphModel } from "../../graph/model.js";
import * as op from "../../graph/ops/index.js";
import type { Lookup } from "../lookup.js";
import type { VaeConfig } from "./config.js";

/** Added to the variance in every group norm. */
const EPSILON = 1e-6;

type ConvOptions = NonNullable<Parameters<typeof op.Conv>[4]>;

/** Halves the size; the zeros are on the right and below only. */
const HALVE: ConvOptions = { stride: 2, padding: [0, 0, 1, 1] };

/** One of the two graphs under construction, and where its weights come from. */
interface Part {
  readonly g: GraphBuilder;
  readonly weight: (name: string) => Value;
}

/** Channels of a level, from 0 (full size). */
function levelChannels({ base, multipliers }: VaeConfig, level: number): number {
  const multiplier = multipliers[level];
  if (multiplier === undefined) throw new RangeError(`level ${level} of ${multipliers.length}`);
  return base * multiplier;
}

/** Codes [1, d, H, W] to an image [1, 3, H · stride, W · stride] in [−1, 1], red first. */
export function buildDecoder(config: VaeConfig, lookup: Lookup): Promise<GraphModel> {
  const g = new GraphBuilder("VAE decoder");
  const part: Part = { g, weight: (name) => g.weight(lookup(`decoder.${name}`)) };
  const top = config.multipliers.length - 1;
  let channels = levelChannels(config, top);
  let x = g.input("codes", "float32", [1, config.bits, "height", "width"]);
  x = middle(part, conv(part, "conv_in", x), channels);
  for (let level = top; level >= 0; level--) {
    const out = levelChannels(config, level);
    for (let block = 0; block <= config.blocks; block++) {
      x = residual(part, `up.${level}.block.${block}`, x, channels, out);
      channels = out;
    }
    if (level > 0) x = conv(part, `up.${level}.upsample.conv`, op.UpsampleNearest(g, x, 2));
  }
  x = conv(part, "conv_out", normSilu(part, "norm_out", x, channels));
  g.output("image", op.Clip(g, x, -1, 1), "float32", [1, 3, "image_height", "image_width"]);
  return g.build();
}

/** An image [1, 3, H · stride, W · stride] in [−1, 1], red first, to features [1, d, H, W]. */
export function buildEncoder(config: VaeConfig, lookup: Lookup): Promise<GraphModel> {
  const g = new GraphBuilder("VAE encoder");
  const part: Part = { g, weight: (name) => g.weight(lookup(`encoder.${name}`)) };
  const top = config.multipliers.length - 1;
  let channels = config.base;
  let x = conv(part, "conv_in", g.input("image", "float32", [1, 3, "image_height", "image_width"]));
  for (let level = 0; level <= top; level++) {
    const out = levelChannels(config, level);
    for (let block = 0; block < config.blocks; block++) {
      x = residual(part, `down.${level}.block.${block}`, x, channels, out);
      channels = out;
    }
    if (level < top) x = conv(part, `down.${level}.downsample.conv`, x, HALVE);
  }
  x = conv(part, "conv_out", normSilu(part, "norm_out", middle(part, x, channels), channels));
  g.output("features", x, "float32", [1, config.bits, "height", "width"]);
  return g.build();
}

/** The two blocks at the smallest size. */
function middle(part: Part, x: Value, channels: number): Value {
  return residual(part, "mid.block_2", residual(part, "mid.block_1", x, channels, channels), channels, channels);
}

/** x plus what two convolutions make of it; a 1 × 1 convolution where the channels change. */
function residual(part: Part, name: string, x: Value, channels: number, out: number): Value {
  const inner = conv(part, `${name}.conv1`, normSilu(part, `${name}.norm1`, x, channels));
  const branch = conv(part, `${name}.conv2`, normSilu(part, `${name}.norm2`, inner, out));
  const kept = channels === out ? x : conv(part, `${name}.nin_shortcut`, x, {});
  return op.Add(part.g, kept, branch);
}

/** Group norm and SiLU, the pair before every convolution but the first. */
function normSilu({ g, weight }: Part, name: string, x: Value, channels: number): Value {
  const [scale, bias] = [weight(`${name}.norm.weight`), weight(`${name}.norm.bias`)];
  const normed = op.GroupNormalization(g, x, scale, bias, { channels, groups: groupsOf(channels), epsilon: EPSILON });
  return op.Silu(g, normed);
}

/** 32 groups, or 24 where 32 does not divide the channels; other widths are not published. */
function groupsOf(channels: number): number {
  const groups = [32, 24].find((count) => channels % count === 0);
  if (groups === undefined) throw new ModelError(`VAE: ${channels} channels divide into neither 32 nor 24 groups`);
  return groups;
}

/** A convolution by name; unless told otherwise it is 3 × 3 and keeps the size. */
function conv({ g, weight }: Part, name: string, x: Value, options: ConvOptions = { padding: 1 }): Value {
  return op.Conv(g, x, weight(`${name}.conv.weight`), weight(`${name}.conv.bias`), options);
}
