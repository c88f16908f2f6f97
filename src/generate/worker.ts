/** What runs in the worker: one engine, and the calls that are under way. */
import type * as comlink from "comlink";
import type { AttentionStatistics, CalibrationSubject } from "../budget/calibration.js";
import { DisposedError } from "../errors.js";
import type { Drawing } from "./calibrate.js";
import { Engine, type OpenModel } from "./engine.js";
import type { DrawOptions, DrawResult, PipelineOptions } from "./types.js";
import { unlessAborted } from "./unless-aborted.js";

/** Options that can be copied into a worker. */
export type Plain<O> = Omit<O, "signal" | "onProgress" | "onScale">;

type Callback<F> = (F & comlink.ProxyMarked) | undefined;

/** A call that is under way. */
interface Call {
  readonly controller: AbortController;
  /** Settles with the call. */
  readonly done: Promise<unknown>;
}

/** The engine's side of `pipeline`. Every call has a number by which it can be aborted. */
export class EngineHost {
  private engine: Engine | undefined;
  private readonly underWay = new Map<number, Call>();
  private ending: Promise<void> | undefined;

  /** `open` finds models where this worker runs. */
  constructor(private readonly open: OpenModel) {}

  /** Loads the model; once, before anything else. */
  async load(
    id: number,
    model: string,
    options: Plain<PipelineOptions>,
    onProgress: Callback<PipelineOptions["onProgress"]>,
  ): Promise<void> {
    await this.call(id, onProgress, async (signal, tell) => {
      this.engine = await Engine.load(model, { ...options, signal, onProgress: tell }, this.open);
    });
  }

  /** Draws one batch. */
  async draw(
    id: number,
    prompts: readonly string[],
    options: Plain<DrawOptions>,
    onProgress: Callback<DrawOptions["onProgress"]>,
    onScale: Callback<DrawOptions["onScale"]>,
  ): Promise<DrawResult> {
    return this.call(id, onProgress, (signal, tell) => {
      // Who disposes of the model in a preview would otherwise wait for the drawing, and the drawing for the preview.
      const show: DrawOptions["onScale"] =
        onScale && ((preview) => unlessAborted(Promise.resolve(onScale(preview)), signal));
      return this.loaded.draw(prompts, { ...options, signal, onProgress: tell, onScale: show });
    });
  }

  /** What a calibration would be about. */
  subject(options: Drawing): CalibrationSubject {
    return this.loaded.subject(options);
  }

  /** Draws a prompt to measure attention. */
  async measure(
    id: number,
    prompt: string,
    options: Plain<DrawOptions>,
    onProgress: Callback<DrawOptions["onProgress"]>,
  ): Promise<AttentionStatistics> {
    return this.call(id, onProgress, (signal, tell) =>
      this.loaded.measure(prompt, { ...options, signal, onProgress: tell }),
    );
  }

  /** Stops the call with this number, if it is still under way. */
  abort(id: number): void {
    this.underWay.get(id)?.controller.abort();
  }

  /** Stops the calls under way, waits for their end and frees the model; once, however often it is asked. */
  dispose(): Promise<void> {
    this.ending ??= this.end();
    return this.ending;
  }

  private async end(): Promise<void> {
    const calls = [...this.underWay.values()];
    for (const { controller } of calls) controller.abort(disposed());
    await Promise.allSettled(calls.map(({ done }) => done));
    await this.engine?.dispose();
  }

  private get loaded(): Engine {
    if (this.ending) throw disposed();
    if (!this.engine) throw new Error("the engine was called before load");
    return this.engine;
  }

  /** A call under its number. */
  private async call<T, E>(
    id: number,
    onProgress: ((event: E) => unknown) | undefined,
    work: (signal: AbortSignal, tell: ((event: E) => void) | undefined) => Promise<T>,
  ): Promise<T> {
    if (this.ending) throw disposed();
    const controller = new AbortController();
    const done = told(controller, onProgress, work);
    this.underWay.set(id, { controller, done });
    try {
      return await done;
    } finally {
      this.underWay.delete(id);
    }
  }
}

function disposed(): DisposedError {
  return new DisposedError("the engine was disposed of");
}

/**
 * Runs `work`, which the controller stops. Progress has a port of its own, so the call waits for the last event to be
 * taken before it ends; a callback that throws ends the call with its error.
 */
async function told<T, E>(
  controller: AbortController,
  onProgress: ((event: E) => unknown) | undefined,
  work: (signal: AbortSignal, tell: ((event: E) => void) | undefined) => Promise<T>,
): Promise<T> {
  const { signal } = controller;
  let last: Promise<unknown> | undefined;
  const tell =
    onProgress &&
    ((event: E): void => {
      // comlink's callbacks answer with a promise, whatever their type says.
      last = Promise.resolve(onProgress(event)).catch((error: unknown) => controller.abort(error));
    });
  const result = await work(signal, tell);
  if (last) await unlessAborted(last, signal);
  signal.throwIfAborted();
  return result;
}
