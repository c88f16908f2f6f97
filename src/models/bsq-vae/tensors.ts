/**
 * Which tensors a BSQ-VAE has. Published files name a convolution's weights either `conv1.weight` or, after the wrapper
 * class of the training code, `conv1.conv.weight` (norms likewise); this project uses the long names.
 */
import { printable } from "../../checkpoint/cursor.js";
import type { StoredTensor } from "../../checkpoint/tensor.js";
import { ModelError } from "../../errors.js";
import {
  checkManifest,
  divideEvenly,
  refuseForeign,
  requireShape,
  type ForeignTensor,
  type Manifest,
  type Tensors,
} from "../manifest.js";
import type { VaeConfig } from "./config.js";

/** Variants the published code can train, and older autoencoders, that this project does not run. */
const FOREIGN: readonly ForeignTensor[] = [
  { name: /\.attn(_1)?\./, meaning: "attention in an autoencoder" },
  { name: /^(post_)?quant_conv\./, meaning: "a convolution around the quantiser (VAR's autoencoder)" },
];

/** Red, green, blue. */
const IMAGE_CHANNELS = 3;

/** A module's own weight or bias, without the wrapper's part between the two: `….conv1` `.weight`. */
const UNWRAPPED =
  /^(.*\b(conv_in|conv_out|conv\d|nin_shortcut|(?:down|up)sample\.conv|norm_out|norm\d))\.(weight|bias)$/;

/** `decoder.conv_in.weight` → `decoder.conv_in.conv.weight`; a name that is long already stays as it is. */
export function wrappedVaeName(name: string): string {
  const [, module, kind = "", parameter] = UNWRAPPED.exec(name) ?? [];
  if (module === undefined) return name;
  return `${module}.${kind.startsWith("norm") ? "norm" : "conv"}.${parameter}`;
}

/**
 * Encoder and decoder of a published file by their long names. What else training left there (discriminators, the
 * quantiser's tables) is left out; a tensor given under both its names is a {@link ModelError}.
 */
export function publishedVae(tensors: Tensors, file: string): Tensors {
  const published = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) {
    if (!/^(encoder|decoder|(post_)?quant_conv)\./.test(name)) continue;
    const long = wrappedVaeName(name);
    if (published.has(long)) {
      throw new ModelError(`${file}: tensor ${printable(long)} is given twice, as ${printable(name)} too`);
    }
    published.set(long, tensor);
  }
  return published;
}

/**
 * Reads the sizes of an autoencoder off its tensors (as {@link publishedVae} gives them).
 * A variant this project does not run, or sizes that contradict each other, are a {@link ModelError}.
 */
export function inferVaeConfig(tensors: Tensors, file: string): VaeConfig {
  refuseForeign(tensors, FOREIGN, file);
  const [, bits = 0] = requireConvolution(tensors, "decoder.conv_in", file);
  const [base = 0] = requireConvolution(tensors, "encoder.conv_in", file);
  const levels = countChildren(tensors, "decoder.up");
  const blocks = countChildren(tensors, "encoder.down.0.block");
  const multipliers = Array.from({ length: levels }, (_, level) => {
    const [channels = 0] = requireConvolution(tensors, `decoder.up.${level}.block.0.conv1`, file);
    requireGroups(channels, file);
    return divideEvenly(channels, base, `channels of level ${level}`, file);
  });
  if (levels === 0 || blocks === 0) throw new ModelError(`${file}: the autoencoder has no residual blocks`);
  return { bits, base, multipliers, blocks, stride: 2 ** (levels - 1) };
}

/** [out, in, height, width] of a convolution's weight. Those of video models have an axis more. */
function requireConvolution(tensors: Tensors, name: string, file: string): readonly number[] {
  const weight = `${name}.conv.weight`;
  if (tensors.get(weight)?.shape.length === 5) {
    throw new ModelError(`${file}: a video autoencoder is not supported (tensor ${weight} has 5 axes)`);
  }
  return requireShape(tensors, weight, 4, file);
}

/** A group norm has 32 groups, or 24 where 32 does not divide the channels; other widths cannot be normalised. */
function requireGroups(channels: number, file: string): void {
  if (channels % 32 !== 0 && channels % 24 !== 0) {
    throw new ModelError(`${file}: ${channels} channels are a multiple of neither 32 nor 24, so no group norm fits`);
  }
}

/** Number of different children `prefix.0`, `prefix.1`, …; counted, so that a hostile number in a name costs nothing. */
function countChildren(tensors: Tensors, prefix: string): number {
  const children = new Set<string>();
  for (const name of tensors.keys()) {
    if (!name.startsWith(`${prefix}.`)) continue;
    children.add(name.slice(prefix.length + 1).split(".", 1)[0] ?? "");
  }
  return children.size;
}

/** Every tensor of encoder and decoder, under its long name. Convolutions are [out, in, height, width]. */
export function vaeTensors(config: VaeConfig): Manifest {
  return new Map([...encoderTensors(config), ...decoderTensors(config)]);
}

type Shapes = [name: string, shape: readonly number[]][];

function encoderTensors({ bits, base, multipliers, blocks }: VaeConfig): Shapes {
  const shapes = convolution("encoder.conv_in", base, IMAGE_CHANNELS);
  let channels = base;
  multipliers.forEach((multiplier, level) => {
    const name = `encoder.down.${level}`;
    shapes.push(...residualBlocks(`${name}.block`, blocks, channels, base * multiplier));
    channels = base * multiplier;
    if (level < multipliers.length - 1) shapes.push(...convolution(`${name}.downsample.conv`, channels, channels));
  });
  return [...shapes, ...middle("encoder.mid", channels), ...output("encoder", bits, channels)];
}

function decoderTensors({ bits, base, multipliers, blocks }: VaeConfig): Shapes {
  let channels = base * (multipliers.at(-1) ?? 1);
  const shapes = [...convolution("decoder.conv_in", channels, bits), ...middle("decoder.mid", channels)];
  // Levels are numbered from the image's side, so the decoder walks them backwards.
  for (let level = multipliers.length - 1; level >= 0; level--) {
    const name = `decoder.up.${level}`;
    const width = base * (multipliers[level] ?? 1);
    shapes.push(...residualBlocks(`${name}.block`, blocks + 1, channels, width));
    channels = width;
    if (level > 0) shapes.push(...convolution(`${name}.upsample.conv`, channels, channels));
  }
  return [...shapes, ...output("decoder", IMAGE_CHANNELS, channels)];
}

function residualBlocks(name: string, count: number, from: number, to: number): Shapes {
  return Array.from({ length: count }, (_, i) => residualBlock(`${name}.${i}`, i === 0 ? from : to, to)).flat();
}

/** Where the width changes, a 1 × 1 convolution carries the input over to the sum. */
function residualBlock(name: string, from: number, to: number): Shapes {
  return [
    ...norm(`${name}.norm1`, from),
    ...convolution(`${name}.conv1`, to, from),
    ...norm(`${name}.norm2`, to),
    ...convolution(`${name}.conv2`, to, to),
    ...(from === to ? [] : convolution(`${name}.nin_shortcut`, to, from, 1)),
  ];
}

function middle(name: string, channels: number): Shapes {
  return [1, 2].flatMap((i) => residualBlock(`${name}.block_${i}`, channels, channels));
}

function output(name: string, out: number, channels: number): Shapes {
  return [...norm(`${name}.norm_out`, channels), ...convolution(`${name}.conv_out`, out, channels)];
}

function norm(name: string, channels: number): Shapes {
  return [
    [`${name}.norm.weight`, [channels]],
    [`${name}.norm.bias`, [channels]],
  ];
}

function convolution(name: string, out: number, into: number, kernel = 3): Shapes {
  return [
    [`${name}.conv.weight`, [out, into, kernel, kernel]],
    [`${name}.conv.bias`, [out]],
  ];
}

/** Checks that a file holds exactly the autoencoder of these sizes; any difference is a {@link ModelError}. */
export function checkVae(tensors: Tensors, config: VaeConfig, file: string): void {
  checkManifest(tensors, vaeTensors(config), file, "an autoencoder this project runs");
}
