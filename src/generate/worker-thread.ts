/** Starts the engine's worker: a thread under Node, a module worker in a browser. */
import type { Endpoint } from "comlink";
import { OptionError } from "../errors.js";
import { isNode } from "../runtime/platform.js";

/** A worker that has been started. */
export interface RunningWorker {
  readonly endpoint: Endpoint;
  /** Rejects if the worker ends before it is told to; never resolves. */
  readonly died: Promise<never>;
  /** What the worker understands a caller's path or address by. */
  locate(place: string): string;
  /** Ends the worker. */
  end(): Promise<void>;
}

/** Starts a worker and waits until it listens. */
export async function startWorker(): Promise<RunningWorker> {
  return isNode ? startThread() : startModuleWorker();
}

/** A thread; comlink's messages go through its port. */
async function startThread(): Promise<RunningWorker> {
  // Bundlers for browsers must leave this import and the thread's script alone, which therefore are not written as one
  // literal address.
  const threads = await import(/* webpackIgnore: true */ "node:worker_threads");
  const { default: nodeEndpoint } = await import("comlink/dist/esm/node-adapter.mjs");
  const script = "./worker-node.js";
  // Of the flags the program was started with the thread needs none, and some (--input-type) it could not bear.
  // Variables that the thread sets for ONNX Runtime are the process's own only where it shares them.
  const thread = new threads.Worker(new URL(script, import.meta.url), { execArgv: [], env: threads.SHARE_ENV });
  const died = new Promise<never>((_, reject) => {
    thread.once("error", reject);
    thread.once("exit", (code) => reject(new Error(`the engine's worker ended with code ${code}`)));
  });
  // Nobody may be listening when the worker is ended on purpose.
  died.catch(() => undefined);
  return {
    endpoint: nodeEndpoint(thread),
    died,
    locate: (path) => path,
    end: async () => {
      await thread.terminate();
    },
  };
}

/** A module worker. Bundlers find its script by this very form of words. */
async function startModuleWorker(): Promise<RunningWorker> {
  const worker = new Worker(new URL("./worker-browser.js", import.meta.url), { type: "module" });
  const died = new Promise<never>((_, reject) => {
    worker.addEventListener("error", ({ message }) => {
      // A script that cannot be fetched comes without a message.
      reject(new Error(`the engine's worker failed: ${message || "its script cannot be loaded"}`));
    });
  });
  died.catch(() => undefined);
  // Its first message says that it listens.
  const ready = new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
  await Promise.race([ready, died]).catch((error: unknown) => {
    worker.terminate();
    throw error;
  });
  return {
    endpoint: worker,
    died,
    locate: absolute,
    end: () => {
      worker.terminate();
      return Promise.resolve();
    },
  };
}

/** An address as the page means it; to the worker it would be relative to its own script. */
function absolute(address: string): string {
  // Who calls from a worker of theirs has no document.
  const base = "document" in globalThis ? document.baseURI : location.href;
  if (URL.canParse(address, base)) return new URL(address, base).href;
  throw new OptionError(`${address}: not an address`);
}
