/** `scalekv eval`: a model and its cache on many prompts. */
import { Command } from "commander";
import type { Pipeline } from "../generate/types.js";
import { evalCacheCommand } from "./eval-cache.js";
import { evalPromptsCommand } from "./eval-prompts.js";

/** The engine is large, so it is read only once all flags have proved good. */
const loadEngine = async (): Promise<Pipeline> => (await import("../generate/pipeline.js")).pipeline;

/** The command with those below it; `load` brings the engine (tests bring their own). */
export function evalCommand(load: () => Promise<Pipeline> = loadEngine): Command {
  return new Command("eval")
    .description("Measure a model and its cache on many prompts.")
    .addCommand(evalPromptsCommand(load))
    .addCommand(evalCacheCommand(load));
}
