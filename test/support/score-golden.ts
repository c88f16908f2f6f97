/** What `test/reference/networks.py` recorded, the pictures it measured, and networks with its weights. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { RgbImage } from "../../src/metrics/image.js";
import type { LpipsFiles } from "../../src/metrics/lpips.js";
import { inceptionTensors } from "../../src/models/inception/tensors.js";
import { alexNetTensors, linearTensors } from "../../src/models/lpips/tensors.js";
import { GOLDEN } from "./golden.js";
import { grain, picture, scene } from "./pictures.js";
import { writeRandomTorch } from "./random-weights.js";

const Golden = z.object({
  featureStep: z.int(),
  pairs: z.array(
    z.object({
      width: z.int(),
      height: z.int(),
      /** Null for equal pictures. */
      psnr: z.number().nullable(),
      ssim: z.number(),
      lpips: z.number(),
      /** Of the first picture, every `featureStep`-th. */
      features: z.array(z.number()),
    }),
  ),
  folders: z.object({ fid: z.number(), kid: z.number() }),
  /** Distances of sets of vectors. */
  sets: z.array(
    z.object({ name: z.string(), rows: z.int(), columns: z.int(), frechet: z.number(), kernel: z.number() }),
  ),
});

/** The recorded values. */
export async function readScoreGolden(): Promise<z.infer<typeof Golden>> {
  return Golden.parse(JSON.parse(await readFile(join(GOLDEN, "score.json"), "utf8")));
}

/** A picture and its copy, which is noisy but for the last of `count`: that one is equal. */
export function numberedPair(number: number, width: number, height: number, count: number): [RgbImage, RgbImage] {
  const first = (x: number, y: number, c: number): number =>
    scene((1 + (number % 3)) * x + 37 * number, y, (c + number) % 3) >> (number % 2);
  const noise = (x: number, y: number, c: number): number =>
    number === count - 1 ? 0 : 2 * grain(x, y, c, number + 1) - 31;
  return [picture(width, height, first), picture(width, height, (x, y, c) => first(x, y, c) + noise(x, y, c))];
}

/** Writes AlexNet (with what is left of its classifier) and the weights of LPIPS into a folder. */
export function writeRandomLpips(folder: string): LpipsFiles {
  const files = { alexNet: join(folder, "alexnet.pth"), linear: join(folder, "alex.pth") };
  writeRandomTorch(files.alexNet, new Map([...alexNetTensors(), ["classifier.6.bias", [1000]]]));
  writeRandomTorch(files.linear, linearTensors());
  return files;
}

/** Writes the Inception network, 95 MB, into a folder and returns its path. */
export function writeRandomInception(folder: string): string {
  const path = join(folder, "inception.pth");
  writeRandomTorch(path, inceptionTensors());
  return path;
}
