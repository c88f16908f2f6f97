/**
 * The public way in: a model in a worker of its own, so that the caller's thread stays free while an image is drawn.
 * Callbacks and signals cross the border as messages; an error arrives as the same class it was thrown as.
 */
import * as comlink from "comlink";
import * as errors from "../errors.js";
import { OptionError } from "../errors.js";
import type { OpenProbe } from "./calibrate.js";
import type { Draw, DrawOptions, DrawResult, Pipeline, PipelineOptions } from "./types.js";
import { startWorker, type RunningWorker } from "./worker-thread.js";
import type { EngineHost, Plain } from "./worker.js";

/** Loads a model; see {@link Pipeline}. */
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
    return call(line, drawOptions.signal, (id) =>
      host.draw(id, list, plain(drawOptions), proxied(onProgress), proxied(onScale)),
    );
  };
  return Object.assign(draw, { dispose: () => disconnect(line) }) satisfies Draw;
};

/** Loads a model to be calibrated; see {@link OpenProbe}. */
export const openProbe: OpenProbe = async (model, options = {}) => {
  const line = await connect(model, options);
  const { host } = line;
  return {
    subject: (drawing) => call(line, undefined, () => host.subject(drawing)),
    measure: (prompt, { signal, onProgress, ...drawing }) =>
      call(line, signal, (id) => host.measure(id, prompt, drawing, proxied(onProgress))),
    dispose: () => disconnect(line),
  };
};

/** The connection to one engine; calls are numbered, so that an abort can name its own. */
interface Line {
  readonly worker: RunningWorker;
  readonly host: comlink.Remote<EngineHost>;
  calls: number;
}

/** Starts a worker and loads a model in it. */
async function connect(model: string, options: PipelineOptions): Promise<Line> {
  options.signal?.throwIfAborted();
  const worker = await startWorker();
  const host = comlink.wrap<EngineHost>(worker.endpoint);
  const line: Line = { worker, host, calls: 0 };
  try {
    const place = worker.locate(model);
    const sendable = located(plain(options), worker);
    await call(line, options.signal, (id) => host.load(id, place, sendable, proxied(options.onProgress)));
  } catch (error) {
    await worker.end();
    throw error;
  }
  return line;
}

/** Frees the model and ends its worker. */
async function disconnect(line: Line): Promise<void> {
  await call(line, undefined, () => line.host.dispose());
  await line.worker.end();
}

/** One call into the worker: passes an abort on, gives up when the worker dies, and restores the error's class. */
async function call<T>(line: Line, signal: AbortSignal | undefined, start: (id: number) => Promise<T>): Promise<T> {
  const id = line.calls++;
  const abort = (): void => void line.host.abort(id);
  signal?.addEventListener("abort", abort);
  try {
    return await Promise.race([start(id), line.worker.died]);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw restore(error);
  } finally {
    signal?.removeEventListener("abort", abort);
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
