/** Runs in the page: the public API, as a page's own script would use it, on the embedded model. */
import { pipeline } from "../../src/index.js";
import type {
  Draw,
  DrawOptions,
  LoadProgress,
  PipelineOptions,
  RunReport,
  ScalePreview,
} from "../../src/generate/types.js";

/** What came of one call, in forms that can leave the page. */
export interface Drawn {
  /** Levels, [height, width, 3]. */
  readonly data: number[];
  readonly report: RunReport;
  /** Number and size of every preview, as `scale: WIDTHxHEIGHT`. */
  readonly previews: readonly string[];
  /** Timers that went off in the page while the worker decoded the finished codes. */
  readonly ticks: number;
}

declare global {
  interface Window {
    /** Loads models/tiny and keeps it for the others; what was told about it. */
    load(options: PipelineOptions): Promise<LoadProgress[]>;
    draw(prompt: string, options: DrawOptions, withPreviews: boolean): Promise<Drawn>;
    /** Gives up at the start of scale 3; the reason, and the last scale that was told about. */
    abort(prompt: string): Promise<{ reason: unknown; scale: number }>;
    /** Class and message of the error that loading ends with. */
    failure(model: string, options: PipelineOptions): Promise<string>;
  }
}

const kept: { draw?: Draw } = {};

window.load = async (options) => {
  const events: LoadProgress[] = [];
  const parts = { vae: "models/tiny/vae.pth", textEncoder: "/models/tiny/t5/" };
  const onProgress = (event: LoadProgress): void => void events.push(event);
  kept.draw = await pipeline("text-to-image", "models/tiny/infinity.pth", { ...parts, ...options, onProgress });
  return events;
};

window.draw = async (prompt, options, withPreviews) => {
  const previews: string[] = [];
  let decoding = false;
  let ticks = 0;
  const timer = setInterval(() => (ticks += decoding ? 1 : 0), 5);
  const onScale = ({ scale, images: [preview] }: ScalePreview): void =>
    void previews.push(`${scale}: ${preview!.width}x${preview!.height}`);
  const { image, report } = await kept.draw!(prompt, {
    ...options,
    onScale: withPreviews ? onScale : undefined,
    onProgress: (event) => {
      decoding = event.stage === "scale" && event.scale === event.scales && event.layer === event.layers;
    },
  });
  clearInterval(timer);
  return { data: [...image.data], report, previews, ticks };
};

window.abort = async (prompt) => {
  const controller = new AbortController();
  let scale = 0;
  const drawing = kept.draw!(prompt, {
    signal: controller.signal,
    onProgress: (event) => {
      if (event.stage === "scale") scale = event.scale;
      if (scale === 3) controller.abort("enough");
    },
  });
  return { reason: await drawing.catch((error: unknown) => error), scale };
};

window.failure = async (model, options) => {
  const error = await pipeline("text-to-image", model, options).catch((thrown: unknown) => thrown);
  return error instanceof Error ? `${error.name}: ${error.message}` : "nothing failed";
};
