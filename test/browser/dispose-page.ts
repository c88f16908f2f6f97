/** Runs in the page: the end of a model, whose worker tells nobody that it was terminated. */
import { pipeline } from "../../src/index.js";

/** What became of the promises, as the error's class or `resolved`. */
export interface Ended {
  readonly underWay: string;
  readonly later: string;
  readonly disposals: readonly string[];
}

declare global {
  interface Window {
    /** Loads models/tiny, begins to draw and disposes of the model twice. */
    end(): Promise<Ended>;
  }
}

window.end = async () => {
  const parts = { vae: "models/tiny/vae.pth", textEncoder: "/models/tiny/t5/" };
  const draw = await pipeline("text-to-image", "models/tiny/infinity.pth", parts);
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const underWay = outcome(draw("a fox", { onProgress: () => begin() }));
  await begun;
  const disposals = await Promise.all([outcome(draw.dispose()), outcome(draw.dispose())]);
  return { underWay: await underWay, later: await outcome(draw("a fox")), disposals };
};

async function outcome(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "resolved";
  } catch (error) {
    return (error as Error).name;
  }
}
