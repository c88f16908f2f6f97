/** What a model that does not draw would report, for tests of what is done with a result. */
import type { DrawResult, DrawnImage, RunReport } from "../../src/generate/types.js";

/** The report of some images; what a test looks at is given, the rest is empty. */
export function fakeReport(images: number, given: Partial<RunReport> = {}): RunReport {
  return {
    model: "fake",
    device: "cpu",
    policy: "full",
    images,
    schedule: [{ height: 1, width: 1 }],
    tokens: 1,
    stages: [],
    storage: "fp32",
    weights: "fp32",
    cache: { peakBytes: 0, duringBytes: 0, fullBytes: 0, publishedBytes: 0 },
    weightsBytes: 0,
    workingBytes: undefined,
    process: undefined,
    seconds: 0,
    ...given,
  };
}

/** A result of one image or more. */
export function fakeResult(images: readonly DrawnImage[], given: Partial<RunReport> = {}): DrawResult {
  const report = fakeReport(images.length, given);
  return { image: images[0]!, images, memory: report, report };
}
