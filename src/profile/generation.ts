/** One generation under observation: drawn by the pipeline as any other, with ONNX Runtime's profiles switched on. */
import { join } from "node:path";
import { choosePolicy, isMerging } from "../cache/registry.js";
import { pipeline } from "../generate/pipeline.js";
import { policyTask } from "../generate/policy-task.js";
import { resolveSettings } from "../generate/settings.js";
import { withPositivePrompt } from "../generate/text.js";
import { loadTokenizer } from "../generate/tokenizer.js";
import type { DrawOptions, PipelineOptions, RunReport } from "../generate/types.js";
import type { WeightType } from "../graph/model.js";
import type { ModelFiles } from "../models/assemble.js";
import { conditioningWeights } from "../models/infinity/conditioning.js";
import { resolveModel } from "../models/folder.js";
import { pixelsPerToken } from "../models/pairing.js";
import { byWeightType } from "./work.js";
import { countRun, type CountedRun } from "./count.js";
import { measureMachine, type Machine } from "./machine.js";
import { readProfiles } from "./operators.js";
import { profileOf, type GenerationProfile } from "./profile.js";
import { inProfileFolder } from "./profile-folder.js";

/** What is drawn, and by which model. */
export interface ObservedCall {
  readonly model: string;
  readonly prompts: readonly string[];
  readonly loading: PipelineOptions;
  readonly drawing: DrawOptions;
}

/** Everything that was found out. */
export interface ObservedGeneration {
  readonly machine: Machine;
  readonly profile: GenerationProfile;
  /** Of the generation under observation, whose stages the profile divides. */
  readonly report: RunReport;
  /**
   * Seconds of the same call without observation, the second of a pipeline, so that all is loaded but a text encoder that is
   * streamed: ONNX Runtime's profile takes memory between a run's own, and time.
   */
  readonly seconds: number;
}

/**
 * Measures the machine before and after drawing, once by itself and once under observation, and tells where the time went.
 * The first of four draws counts for nothing: it finds files on disk and may cut weights, and is observed as well, since the
 * first profile scatters the heap, for which an observed draw took half as long again (docs/LOG.md, 2026-11-28). It comes
 * before the machine's measurement, so that what cannot be loaded is said at once. Nor does the second count, which loads the
 * autoencoder for the third; the fourth is a pipeline's first again. On the CPU only: a device's operators return before
 * their work is done. Errors: those of the pipeline, and an OptionError where there is no place for profiles.
 */
export async function observeGeneration(call: ObservedCall): Promise<ObservedGeneration> {
  const counted = await countedRun(call);
  const { infinity, weights } = counted;
  const { threads, signal } = call.loading;
  const types = [...new Set(["fp32", conditioningWeights(weights), weights] as const)];
  const options = { threads, signal, widths: [infinity.width], weights: types };
  return inProfileFolder(async (folder) => {
    const prefix = join(folder, "graph-");
    await draw(call, { profile: join(folder, "first-") });
    const before = await measureMachine(options);
    const { seconds } = await draw(call, { times: 2 });
    const report = await draw(call, { profile: prefix });
    const graphs = await readProfiles(prefix);
    const machine = bestOf(before, await measureMachine(options));
    return { machine, report, seconds, profile: profileOf(report, graphs, countRun(counted), machine.ceilings) };
  });
}

/** A machine with other work to do may be slower for a while: what counts is the better of two times. */
function bestOf(a: Machine, b: Machine): Machine {
  const { operations, bytes } = a.ceilings;
  const best = (type: WeightType): number => Math.max(operations[type], b.ceilings.operations[type]);
  return {
    products: a.products.map((one, i) => ({ ...one, rate: Math.max(one.rate, b.products[i]!.rate) })),
    ceilings: {
      operations: byWeightType(best),
      bytes: Math.max(bytes, b.ceilings.bytes),
    },
  };
}

/**
 * The last of some draws by a pipeline of their own. Its sessions write their profiles, if any, when they are disposed of.
 */
async function draw(
  { model, prompts, loading, drawing }: ObservedCall,
  { profile, times = 1 }: { profile?: string; times?: number },
): Promise<RunReport> {
  const pipe = await pipeline("text-to-image", model, { ...loading, profile });
  try {
    for (let before = 1; before < times; before++) await pipe(prompts, drawing);
    return (await pipe(prompts, drawing)).report;
  } finally {
    await pipe.dispose();
  }
}

/** What the call's work depends on, made definite as the engine will. */
export async function countedRun({ model, prompts, loading, drawing }: ObservedCall): Promise<CountedRun> {
  const files = await resolveModel(model, loading);
  try {
    return await countWith(files, prompts, loading, drawing);
  } finally {
    await files.close();
  }
}

async function countWith(
  { infinity, vae, textEncoder, defaults, calibration }: ModelFiles,
  prompts: readonly string[],
  { cache = {}, weights = "fp32" }: PipelineOptions,
  drawing: DrawOptions,
): Promise<CountedRun> {
  const { config } = infinity;
  const { depth, heads } = config;
  const images = prompts.length;
  const tokenPixels = pixelsPerToken(config, vae.config);
  const settings = resolveSettings(drawing, defaults, { images, depth, tokenPixels });
  const { maps } = settings.schedule;
  const { storage = "fp32" } = cache;
  const { policy } = choosePolicy(cache, policyTask(config, settings, { images, storage, calibration }));
  const tokenizer = await loadTokenizer(textEncoder);
  const tokens = (text: string): number => tokenizer.encode(text, config.textLength).length;
  return {
    ...{ infinity: config, vae: vae.config, t5: textEncoder.config, maps, weights, storage },
    merging: isMerging(cache),
    guided: settings.guided,
    texts: prompts.map((prompt) => tokens(drawing.positivePrompt ? withPositivePrompt(prompt) : prompt)),
    negative: drawing.negative === undefined ? undefined : tokens(drawing.negative),
    plan: policy.plan({ layers: depth, heads, maps }),
  };
}
