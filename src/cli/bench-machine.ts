/** `scalekv bench machine`: how fast this machine multiplies and moves numbers, at best. */
import { Command } from "commander";
import { CPU_WEIGHT_TYPES } from "../graph/model.js";
import type { Machine, MeasuredProduct } from "../profile/machine.js";
import { parseInteger, type Range } from "./numbers.js";
import { table } from "./table.js";

interface MachineFlags {
  readonly threads?: number;
  readonly width: readonly number[];
  readonly json?: true;
}

const THREADS: Range = { min: 1, max: 1024 };
/** The widest published model has 3584; a product 16384 wide takes 4 GiB. */
const WIDTH: Range = { min: 32, max: 8192 };

/** The command. */
export function benchMachineCommand(): Command {
  return new Command("machine")
    .description("Measure matrix products as models have them, and copying, through ONNX Runtime.")
    .option("--threads <n>", "CPU threads (default: one per core)", (text) => parseInteger("--threads", text, THREADS))
    .option("--width <n,...>", "widths of the layers whose products are tried", parseWidths, [768, 2048])
    .option("--json", "print operations and bytes a second as JSON")
    .action(async ({ threads, width, json }: MachineFlags) => {
      const { measureMachine } = await import("../profile/machine.js");
      const machine = await measureMachine({ threads, widths: width });
      process.stdout.write(`${json ? JSON.stringify(machine) : formatMachine(machine)}\n`);
    });
}

function parseWidths(text: string): number[] {
  return text.split(",").map((part) => parseInteger("--width", part, WIDTH));
}

/** A table of the products, and the limits. */
export function formatMachine({ products, ceilings }: Machine): string {
  const shapes = [...new Set(products.map(shapeOf))];
  const rate = (shape: string, weights: string): string =>
    giga(products.find((one) => shapeOf(one) === shape && one.weights === weights)?.rate ?? 0);
  const rows = shapes.map((shape) => [shape, ...CPU_WEIGHT_TYPES.map((type) => rate(shape, type))]);
  const best = ["at best", ...CPU_WEIGHT_TYPES.map((type) => giga(ceilings.operations[type]))];
  return [
    "GFLOP/s of matrix products, weights in",
    table([["", ...CPU_WEIGHT_TYPES], ...rows, best], ["left", ...CPU_WEIGHT_TYPES.map(() => "right" as const)]),
    "",
    `${giga(ceilings.bytes)} GB/s of memory read and written`,
  ].join("\n");
}

function shapeOf({ m, k, n }: MeasuredProduct): string {
  return `${m} x ${k} x ${n}`;
}

function giga(value: number): string {
  return (value / 1e9).toFixed(1);
}
