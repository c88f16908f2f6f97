/**
 * PyramidKV (Cai et al., 2024, arXiv 2406.02069): attention funnels from broad in the first layers to narrow in the
 * last, so capacities fall from layer to layer by equal steps (`allocatePyramid`); what stays is chosen as in SnapKV.
 */
import type { Policy } from "../policy.js";
import { snapkv, type SnapOptions } from "./snapkv.js";

/** PyramidKV under capacities that fall from layer to layer. */
export function pyramidkv(options: SnapOptions): Policy {
  return { ...snapkv(options), name: "pyramidkv" };
}
