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
    return line.call(drawOptions.signal, (id) =>
      host.draw(id, list, plain(drawOptions), proxied(onProgress), proxied(onScale)),
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
      line.call(signal, (id) => host.measure(id, prompt, drawing, proxied(onProgress))),
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
    await line.call(options.signal, (id) => line.host.load(id, place, sendable, proxied(options.onProgress)));
  } catch (error) {
    await worker.end();
    throw error;
  }
  return line;
}

/** The connection to one engine; calls are numbered, so that an abort can name its own. */
class Line {
  readonly host: comlink.Remote<EngineHost>;
  private calls = 0;
  /** Aborted once nobody answers any more: the worker died, or the model was disposed of. */
  private readonly over = new AbortController();
  private ending: Promise<void> | undefined;

  constructor(
    private readonly model: string,
    private readonly worker: RunningWorker,
  ) {
    this.host = comlink.wrap<EngineHost>(worker.endpoint);
    worker.died.catch((error: unknown) => this.over.abort(error));
  }

  /** One call into the worker: passes an abort on, gives up when nobody answers, and restores the error's class. */
  async call<T>(signal: AbortSignal | undefined, start: (id: number) => Promise<T>): Promise<T> {
    // An abort that came before, while the worker started, is told to no listener.
    signal?.throwIfAborted();
    this.over.signal.throwIfAborted();
    const id = this.calls++;
    const abort = (): void => void this.host.abort(id);
    signal?.addEventListener("abort", abort);
    try {
      return await unlessAborted(start(id), this.over.signal);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw restore(error);
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Frees the model and ends its worker, once however often it is asked; calls under way are given up. */
  dispose(): Promise<void> {
    this.ending ??= this.end();
    return this.ending;
  }

  private async end(): Promise<void> {
    this.over.abort(new DisposedError(`${this.model}: disposed of, its worker has ended`));
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

function proxied<F extends (...args: never[]) => unknown>(
  callback: F | undefined,
): (F & comlink.ProxyMarked) | undefined {
  return callback && comlink.proxy(callback);
}

/** An error of ours loses its class on the way; its name brings it back. */
function restore(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const known = Object.entries(errors).find(([name]) => name === error.name)?.[1];
  return known ? new known(error.message, { cause: error }) : error;
}
