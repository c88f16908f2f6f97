/**
 * The public way in: a model in a worker of its own, so that the caller's thread stays free while an image is drawn.
 * Callbacks and signals cross the border as messages; an error arrives as the same class it was thrown as.
 */
import * as comlink from "comlink";
import * as errors from "../errors.js";
import { DisposedError, OptionError } from "../errors.js";
import type { OpenProbe } from "./calibrate.js";
import type { Draw, DrawOptions, DrawResult, Pipeline, PipelineOptions } from "./types.js";
import { unlessAborted } from "./unless-aborted.js";
import { startWorker, type RunningWorker } from "./worker-thread.js";
import type { EngineHost, Plain } from "./worker.js";

/** Loads a model; see {@link Pipeline}. What is under way when it is disposed of, or asked for later, is a {@link DisposedError}. */
export const pipeline: Pipeline = async (task, model, options = {}) => {
  // Callers in plain JavaScript may ask for anything.
  if ((task as string) !== "text-to-image") throw new OptionError(`task ${task}: must be text-to-image`);
  const line = await connect(model, options);
  const { host } = line;
  const draw = async (prompts: string | readonly string[], drawOptions: DrawOptions = {}): Promise<DrawResult> => {
    drawOptions.signal?.throwIfAborted();
    const list = typeof prompts === "string" ? [prompts] : prompts;
    if (list.length === 0) throw new OptionError("prompts: 0 given, at least 1 is needed");
    const { onProgress, onScale } = drawOptions;
    return line.call(drawOptions.signal, (id, carry) =>
      host.draw(id, list, plain(drawOptions), carry(onProgress), carry(onScale)),
    );
  };
  return Object.assign(draw, { dispose: () => line.dispose() }) satisfies Draw;
};

/** Loads a model to be calibrated; see {@link OpenProbe}. */
export const openProbe: OpenProbe = async (model, options = {}) => {
  const line = await connect(model, options);
  const { host } = line;
  return {
    subject: (drawing) => line.call(undefined, () => host.subject(drawing)),
    measure: (prompt, { signal, onProgress, ...drawing }) =>
      line.call(signal, (id, carry) => host.measure(id, prompt, drawing, carry(onProgress))),
    dispose: () => line.dispose(),
  };
};

/** Starts a worker and loads a model in it. */
async function connect(model: string, options: PipelineOptions): Promise<Line> {
  options.signal?.throwIfAborted();
  const worker = await startWorker();
  const line = new Line(model, worker);
  try {
    const place = worker.locate(model);
    const sendable = located(plain(options), worker);
    await line.call(options.signal, (id, carry) => line.host.load(id, place, sendable, carry(options.onProgress)));
  } catch (error) {
    await worker.end();
    throw error;
  }
  return line;
}

/** A callback in the form in which the worker can call it. */
type Carry = <F extends (...args: never[]) => unknown>(
  callback: F | undefined,
) => (F & comlink.ProxyMarked) | undefined;

/** The connection to one engine; calls are numbered, so that an abort can name its own. */
class Line {
  readonly host: comlink.Remote<EngineHost>;
  private calls = 0;
  /** Why nobody answers any more: the worker died, or the model was disposed of. */
  private over: { readonly reason: unknown } | undefined;
  /** One for each call under way: a single signal with more than ten listeners makes Node warn of a leak. */
  private readonly underWay = new Set<AbortController>();
  private ending: Promise<void> | undefined;

  constructor(
    private readonly model: string,
    private readonly worker: RunningWorker,
  ) {
    this.host = comlink.wrap<EngineHost>(worker.endpoint);
    worker.died.catch((error: unknown) => this.giveUp(error));
  }

  /**
   * One call into the worker: passes an abort on, gives up when nobody answers, and restores the error's class. What a callback
   * throws ends the call as it was thrown; what it gives back stays here, as not everything can cross the border.
   */
  async call<T>(signal: AbortSignal | undefined, start: (id: number, carry: Carry) => Promise<T>): Promise<T> {
    // An abort that came before, while the worker started, is told to no listener.
    signal?.throwIfAborted();
    if (this.over) throw this.over.reason;
    const id = this.calls++;
    const abort = (): void => void this.host.abort(id);
    const waiting = new AbortController();
    const thrown: unknown[] = [];
    signal?.addEventListener("abort", abort);
    this.underWay.add(waiting);
    try {
      return await unlessAborted(start(id, carryNoting(thrown)), waiting.signal);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw thrown.length > 0 ? thrown[0] : restore(error);
    } finally {
      this.underWay.delete(waiting);
      signal?.removeEventListener("abort", abort);
    }
  }

  private giveUp(reason: unknown): void {
    this.over ??= { reason };
    for (const waiting of this.underWay) waiting.abort(reason);
  }

  /** Frees the model and ends its worker, once however often it is asked; calls under way are given up. */
  dispose(): Promise<void> {
    this.ending ??= this.end();
    return this.ending;
  }

  private async end(): Promise<void> {
    this.giveUp(new DisposedError(`${this.model}: disposed of, its worker has ended`));
    try {
      await Promise.race([this.host.dispose(), this.worker.died]);
    } catch (error) {
      throw restore(error);
    } finally {
      await this.worker.end();
    }
  }
}

/** Options without what cannot be copied into a worker. */
function plain<O extends PipelineOptions | DrawOptions>(options: O): Plain<O> {
  const entries = Object.entries(options).filter(([key]) => !["signal", "onProgress", "onScale"].includes(key));
  return Object.fromEntries(entries) as Plain<O>;
}

/** Options whose paths or addresses mean to the worker what they mean to the caller. */
function located(options: Plain<PipelineOptions>, worker: RunningWorker): Plain<PipelineOptions> {
  const locate = (place?: string): string | undefined => (place === undefined ? undefined : worker.locate(place));
  const { vae, textEncoder, wasmPaths } = options;
  return { ...options, vae: locate(vae), textEncoder: locate(textEncoder), wasmPaths: locate(wasmPaths) };
}

/** Carries callbacks over the border, and notes what they throw. */
function carryNoting(thrown: unknown[]): Carry {
  return <F extends (...args: never[]) => unknown>(callback: F | undefined) => {
    const noting = async (...args: Parameters<F>): Promise<void> => {
      try {
        await callback?.(...args);
      } catch (error) {
        thrown.push(error);
        // The worker has to stop; why is known here.
        throw new Error("a callback threw", { cause: error });
      }
    };
    // Over there every function answers with a promise, whatever its type says.
    return callback && comlink.proxy(noting as unknown as F);
  };
}

/** An error of ours loses its class on the way; its name brings it back. */
function restore(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const known = Object.entries(errors).find(([name]) => name === error.name)?.[1];
  return known ? new known(error.message, { cause: error }) : error;
}
