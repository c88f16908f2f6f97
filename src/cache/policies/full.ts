/** Keeps everything: the model as it was trained, and the yardstick of every other policy. */
import { planEvictions, type Policy } from "../policy.js";

/** The full cache: every token of every scale but the last. */
export const full: Policy = {
  name: "full",
  plan: (run) => planEvictions(run, () => ({ kind: "none" })),
};
