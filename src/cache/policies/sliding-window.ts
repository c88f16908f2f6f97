/**
 * Sliding window: the most recent tokens stay, nothing else. The weakest rival of the ScaleKV paper, and the simplest:
 * for next-scale models "recent" is the end of the last map, its lower rows.
 */
import type { Policy } from "../policy.js";
import { streamingLlm, type StreamingOptions } from "./streaming-llm.js";

/** A sliding window under given capacities: StreamingLLM without sinks. */
export function slidingWindow({ capacities }: Pick<StreamingOptions, "capacities">): Policy {
  return { ...streamingLlm({ capacities, sinks: 0 }), name: "sliding-window" };
}
