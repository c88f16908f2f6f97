/** What runs in the worker: one engine, and the calls that are under way. */
import type * as comlink from "comlink";
import { Engine } from "./engine.js";
import type { DrawOptions, DrawResult, PipelineOptions } from "./types.js";

/** Options that can be copied into a worker. */
export type Plain<O> = Omit<O, "signal" | "onProgress" | "onScale">;

type Callback<F> = (F & comlink.ProxyMarked) | undefined;

/** The engine's side of `pipeline`. Every call has a number by which it can be aborted. */
export class EngineHost {
  private engine: Engine | undefined;
  private readonly underWay = new Map<number, AbortController>();

  /** Loads the model; once, before anything else. */
  async load(
    id: number,
    model: string,
    options: Plain<PipelineOptions>,
    onProgress: Callback<PipelineOptions["onProgress"]>,
  ): Promise<void> {
    this.engine = await this.abortable(id, (signal) => Engine.load(model, { ...options, signal, onProgress }));
  }

  /** Draws one batch. */
  async draw(
    id: number,
    prompts: readonly string[],
    options: Plain<DrawOptions>,
    onProgress: Callback<DrawOptions["onProgress"]>,
    onScale: Callback<DrawOptions["onScale"]>,
  ): Promise<DrawResult> {
    const { engine } = this;
    if (!engine) throw new Error("draw was called before load");
    return this.abortable(id, (signal) => engine.draw(prompts, { ...options, signal, onProgress, onScale }));
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

  private async abortable<T>(id: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    this.underWay.set(id, controller);
    try {
      return await work(controller.signal);
    } finally {
      this.underWay.delete(id);
    }
  }
}
