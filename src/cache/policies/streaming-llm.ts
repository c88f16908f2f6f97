/**
 * StreamingLLM (Xiao et al., ICLR 2024, arXiv 2309.17453), in the form that the ScaleKV paper compares with.
 *
 * Claim: attention rests on the first tokens whatever they say, so these sinks and the most recent tokens suffice.
 * Mechanism: of every layer the first `sinks` tokens and the latest others stay, up to the capacity, decided by place
 * alone. Default sinks: 4, the paper's number for language models; here they are the first map and most of the second.
 */
import { planEvictions, type Policy } from "../policy.js";
import { firstAndLatest } from "../window.js";

/** What StreamingLLM keeps. */
export interface StreamingOptions {
  /** [scale][layer]: tokens a layer keeps after a scale. */
  readonly capacities: readonly (readonly number[])[];
  readonly sinks?: number | undefined;
}

/** StreamingLLM under given capacities. */
export function streamingLlm({ capacities, sinks = 4 }: StreamingOptions): Policy {
  return {
    name: "streaming-llm",
    plan: (run) =>
      planEvictions(run, ({ scale, slot: layer, cached, fresh }) => {
        const length = cached + fresh;
        const capacity = capacities[scale]![layer]!;
        if (length <= capacity) return { kind: "none" };
        const first = Math.min(sinks, capacity);
        return { kind: "fixed", positions: firstAndLatest(first, capacity - first, length) };
      }),
  };
}
