/** Starts the engine's worker. */
import type { Endpoint } from "comlink";

/** A worker that has been started. */
export interface RunningWorker {
  readonly endpoint: Endpoint;
  /** Rejects if the worker ends before it is told to; never resolves. */
  readonly died: Promise<never>;
  /** Ends the worker. */
  end(): Promise<void>;
}

/** A thread under Node; comlink's messages go through its port. */
export async function startWorker(): Promise<RunningWorker> {
  const { Worker } = await import("node:worker_threads");
  const { default: nodeEndpoint } = await import("comlink/dist/esm/node-adapter.mjs");
  const worker = new Worker(new URL("./worker-node.js", import.meta.url));
  const died = new Promise<never>((_, reject) => {
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the engine's worker ended with code ${code}`)));
  });
  // Nobody may be listening when the worker is ended on purpose.
  died.catch(() => undefined);
  return {
    endpoint: nodeEndpoint(worker),
    died,
    end: async () => {
      await worker.terminate();
    },
  };
}
