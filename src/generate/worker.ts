/** What runs in the worker: one engine, and the calls that are under way. */
import type * as comlink from "comlink";
import type { AttentionStatistics, CalibrationSubject } from "../budget/calibration.js";
import type { Drawing } from "./calibrate.js";
import { Engine, type OpenModel } from "./engine.js";
import type { DrawOptions, DrawResult, PipelineOptions } from "./types.js";

/** Options that can be copied into a worker. */
export type Plain<O> = Omit<O, "signal" | "onProgress" | "onScale">;

type Callback<F> = (F & comlink.ProxyMarked) | undefined;

/** The engine's side of `pipeline`. Every call has a number by which it can be aborted. */
export class EngineHost {
  private engine: Engine | undefined;
  private readonly underWay = new Map<number, AbortController>();

  /** `open` finds models where this worker runs. */
  constructor(private readonly open: OpenModel) {}

  /** Loads the model; once, before anything else. */
  async load(
    id: number,
    model: string,
    options: Plain<PipelineOptions>,
    onProgress: Callback<PipelineOptions["onProgress"]>,
  ): Promise<void> {
    this.engine = await this.call(id, onProgress, (signal, tell) =>
      Engine.load(model, { ...options, signal, onProgress: tell }, this.open),
    );
  }

  /** Draws one batch. */
  async draw(
    id: number,
    prompts: readonly string[],
    options: Plain<DrawOptions>,
    onProgress: Callback<DrawOptions["onProgress"]>,
    onScale: Callback<DrawOptions["onScale"]>,
  ): Promise<DrawResult> {
    return this.call(id, onProgress, (signal, tell) =>
      this.loaded.draw(prompts, { ...options, signal, onProgress: tell, onScale }),
    );
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
    this.underWay.get(id)?.abort();
  }

  /** Frees the model. */
  async dispose(): Promise<void> {
    await this.engine?.dispose();
    this.engine = undefined;
  }

  private get loaded(): Engine {
    if (!this.engine) throw new Error("the engine was called before load");
    return this.engine;
  }

  /**
   * Runs `work`, which `abort` stops. Progress has a port of its own, so the call waits for the last event to be taken
   * before it ends; a callback that throws ends the call with its error.
   */
  private async call<T, E>(
    id: number,
    onProgress: ((event: E) => unknown) | undefined,
    work: (signal: AbortSignal, tell: ((event: E) => void) | undefined) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    this.underWay.set(id, controller);
    let told: Promise<unknown> | undefined;
    const tell =
      onProgress &&
      ((event: E): void => {
        // comlink's callbacks answer with a promise, whatever their type says.
        told = Promise.resolve(onProgress(event)).catch((error: unknown) => controller.abort(error));
      });
    try {
      const result = await work(controller.signal, tell);
      await told;
      controller.signal.throwIfAborted();
      return result;
    } finally {
      this.underWay.delete(id);
    }
  }
}
