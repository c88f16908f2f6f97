/** `scalekv bench`: what this machine, a run or a formula says about cost. */
import { Command } from "commander";
import { benchGenerateCommand } from "./bench-generate.js";
import { benchMachineCommand } from "./bench-machine.js";
import { memoryCommand } from "./bench-memory.js";

/** The command with its kinds of benchmark. */
export function benchCommand(): Command {
  return new Command("bench")
    .description("Show what models cost.")
    .addCommand(benchMachineCommand())
    .addCommand(benchGenerateCommand())
    .addCommand(memoryCommand());
}
