/** `scalekv inspect`: what a checkpoint holds, and which published model it is. */
import { Command } from "commander";
import { printable } from "../checkpoint/cursor.js";
import { inspect, type Inspection } from "../models/inspect.js";
import { mebibytes, table } from "./table.js";

/** The command, for the program that assembles them. */
export function inspectCommand(): Command {
  return new Command("inspect")
    .description("List the tensors of a checkpoint, or of all checkpoints in a folder, and say which model it is.")
    .argument("<file|dir>", "a torch or safetensors file, an index of shards, or a folder")
    .option("--json", "print everything as JSON")
    .action(async (path: string, { json }: { json?: true }) => {
      const checkpoints = await inspect(path);
      const text = json ? JSON.stringify({ checkpoints }) : checkpoints.map(describeInspection).join("\n\n");
      process.stdout.write(`${text}\n`);
    });
}

/** Head, tensors and totals of one checkpoint, as lines of text. */
export function describeInspection(inspection: Inspection): string {
  const { path, format, model, refused, nestings, totals, tensors } = inspection;
  const head = [
    `${printable(path)} (${format})`,
    `model: ${model ?? refused ?? "none that is known here"}`,
    ...(nestings.length > 0 ? [`nested under: ${nestings.join(", ")}`] : []),
  ];
  const rows = tensors.map(({ name, dtype, shape, bytes }) => [
    printable(name),
    dtype,
    `[${shape.join(", ")}]`,
    String(bytes),
  ]);
  const sums = Object.entries(totals).map(([dtype, { tensors: count, elements, bytes }]) => [
    dtype,
    `${count} tensors`,
    `${elements} elements`,
    `${mebibytes(bytes)} MiB`,
  ]);
  return [
    ...head,
    "",
    table([["tensor", "dtype", "shape", "bytes"], ...rows], ["left", "left", "left", "right"]),
    "",
    table(sums, ["left", "right", "right", "right"]),
  ].join("\n");
}
