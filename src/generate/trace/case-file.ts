/** `case.json` and `case.safetensors`: what a parity case says of itself. */
import { z } from "zod";
import type { Checkpoint } from "../../checkpoint/checkpoint.js";
import type { StoredTensor } from "../../checkpoint/tensor.js";
import type { WritableTensor } from "../../checkpoint/write-safetensors.js";
import { ModelError, OptionError } from "../../errors.js";
import { readRegularText } from "../../files/read-file.js";
import { systemCode } from "../../files/system-error.js";
import { PIXEL_CLASSES } from "../../models/infinity/schedule.js";

/** What a case gives, by the names of its `expected.safetensors`. */
export type Results = Map<string, WritableTensor>;

const oneOrMany = z.union([z.number(), z.array(z.number())]);

const poolingKind = z.enum(["maxpool", "avgpool"]).transform((name) => (name === "maxpool" ? "max" : "average"));

/** The compressed cache of a case: row s + 2 of `cache_sizes` holds the layers' capacities after scale index s. */
const scalekvOptions = z.object({
  cache_sizes: z.array(z.array(z.number().int().positive()).nullable()),
  base_capacity: z.number().int().positive(),
  window_size: z.number().int().positive(),
  kernel_size: z.number().int().positive(),
  pooling: poolingKind,
});

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
  scalekv: scalekvOptions.nullable(),
});

/** `case.json` of a case that only chooses what stays. */
const selection = z.object({
  kind: z.literal("selection"),
  items: z.array(
    z.object({
      index: z.number().int(),
      tokens_of_scale: z.number().int().positive(),
      cached: z.number().int().nonnegative(),
      capacity: z.number().int().positive(),
      window_size: z.number().int().positive(),
      kernel_size: z.number().int().positive(),
      pooling: poolingKind,
    }),
  ),
});

const caseSchema = z.discriminatedUnion("kind", [drawing, selection, z.object({ kind: z.literal("t5") })]);

/** A case that draws. */
export type DrawingCase = z.infer<typeof drawing>;

/** A case that only chooses what stays. */
export type SelectionCase = z.infer<typeof selection>;

/** Reads `case.json`; anything but a case is an `OptionError`. */
export async function readCase(path: string): Promise<z.infer<typeof caseSchema>> {
  let json: unknown;
  try {
    json = JSON.parse(await readRegularText(path));
  } catch (error) {
    throw new OptionError(
      `${path}: ${error instanceof SyntaxError ? "is not JSON" : `cannot be read (${systemCode(error)})`}`,
    );
  }
  const parsed = caseSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new OptionError([`${path}:`, ...(issue?.path ?? []), issue?.message ?? "is not a case"].join(" "));
}

/** A tensor of the case's inputs; a missing one is a `ModelError`. */
export function tensorOf(inputs: Checkpoint, name: string): StoredTensor {
  const tensor = inputs.tensors.get(name);
  if (!tensor) throw new ModelError(`${inputs.path}: tensor ${name} is missing`);
  return tensor;
}
