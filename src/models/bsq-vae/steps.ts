/**
 * Decoder and encoder as lists of convolutions, convolutional throughout: residual blocks of (group norm, SiLU, 3 × 3
 * convolution) twice, nearest-neighbour doubling on the way up, stride 2 on the way down, no attention. A list, because
 * every group norm needs the whole map before the next convolution may begin: between two of them lies a whole map.
 */
import type { VaeConfig } from "./config.js";
import { COLOURS } from "./image.js";

/** One 3 × 3 convolution and what is done around it. Names are those of the checkpoint, without `decoder.`. */
export interface Step {
  readonly conv: string;
  /** Channels of its input and its output. */
  readonly into: number;
  readonly out: number;
  /** The group norm before it, which a SiLU follows. */
  readonly norm?: string | undefined;
  /** `double`: the input is enlarged first, every position to 2 × 2. `halve`: the convolution has stride 2. */
  readonly size: "same" | "double" | "halve";
  /** The input is needed again: as it is, or after the 1 × 1 convolution of this name. */
  readonly keep?: "input" | { readonly conv: string } | undefined;
  /** What was kept is added to the output. */
  readonly adds: boolean;
  /** The output is limited to [−1, 1]. */
  readonly clips: boolean;
}

/** From codes [d, H, W] to an image [3, H · stride, W · stride] in [−1, 1], red first. */
export function decoderSteps(config: VaeConfig): Step[] {
  const top = config.multipliers.length - 1;
  let channels = levelChannels(config, top);
  const steps = [convolution("conv_in", config.bits, channels), ...middle(channels)];
  for (let level = top; level >= 0; level--) {
    const out = levelChannels(config, level);
    steps.push(...residuals(`up.${level}.block`, config.blocks + 1, channels, out));
    if (level > 0) steps.push({ ...convolution(`up.${level}.upsample.conv`, out, out), size: "double" });
    channels = out;
  }
  return [...steps, { ...convolution("conv_out", channels, COLOURS), norm: "norm_out", clips: true }];
}

/** From an image [3, H · stride, W · stride] in [−1, 1], red first, to features [d, H, W]. */
export function encoderSteps(config: VaeConfig): Step[] {
  const top = config.multipliers.length - 1;
  let channels = config.base;
  const steps = [convolution("conv_in", COLOURS, channels)];
  for (let level = 0; level <= top; level++) {
    const out = levelChannels(config, level);
    steps.push(...residuals(`down.${level}.block`, config.blocks, channels, out));
    if (level < top) steps.push({ ...convolution(`down.${level}.downsample.conv`, out, out), size: "halve" });
    channels = out;
  }
  return [...steps, ...middle(channels), { ...convolution("conv_out", channels, config.bits), norm: "norm_out" }];
}

/** How many values all channels of a row of any map have at most, for each column of the first step's input. */
export function widestRow(steps: readonly Step[]): number {
  let width = 1;
  let widest = 0;
  for (const { into, out, size } of steps) {
    widest = Math.max(widest, into * width);
    width *= { same: 1, double: 2, halve: 1 / 2 }[size];
    widest = Math.max(widest, out * width);
  }
  return widest;
}

/** Channels of a level, from 0 (full size). */
function levelChannels({ base, multipliers }: VaeConfig, level: number): number {
  const multiplier = multipliers[level];
  if (multiplier === undefined) throw new RangeError(`level ${level} of ${multipliers.length}`);
  return base * multiplier;
}

/** The two blocks at the smallest size. */
function middle(channels: number): Step[] {
  return [1, 2].flatMap((i) => residual(`mid.block_${i}`, channels, channels));
}

/** The blocks of a level; the first one changes the channels. */
function residuals(name: string, blocks: number, into: number, out: number): Step[] {
  return Array.from({ length: blocks }, (_, i) => residual(`${name}.${i}`, i === 0 ? into : out, out)).flat();
}

/** x plus what two convolutions make of it; a 1 × 1 convolution where the channels change. */
function residual(name: string, into: number, out: number): Step[] {
  const keep = into === out ? "input" : { conv: `${name}.nin_shortcut` };
  return [
    { ...convolution(`${name}.conv1`, into, out), norm: `${name}.norm1`, keep },
    { ...convolution(`${name}.conv2`, out, out), norm: `${name}.norm2`, adds: true },
  ];
}

function convolution(conv: string, into: number, out: number): Step {
  return { conv, into, out, size: "same", adds: false, clips: false };
}
