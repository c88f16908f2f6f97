/** Ctrl-C as an AbortSignal, so that whoever holds files or memory can let go of them. */

/** By convention 128 + the signal's number, which a shell also tells of a program that a signal ended. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

type Stop = keyof typeof EXIT_CODES;

/** The user, or the system, asked the program to stop. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: Stop) {
    super(`stopped by ${signal}`);
    this.name = "Interrupted";
    this.exitCode = EXIT_CODES[signal];
  }
}

/**
 * Runs `work` with a signal that Ctrl-C aborts; the promise then rejects with {@link Interrupted}, whatever `work` made
 * of the signal, and even if it had nothing left to do. A second Ctrl-C does not wait for it.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (signal: Stop): void => {
    if (controller.signal.aborted) endAtOnce(signal);
    else controller.abort(new Interrupted(signal));
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    const result = await work(controller.signal);
    controller.signal.throwIfAborted();
    return result;
  } catch (error) {
    controller.signal.throwIfAborted();
    throw error;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/**
 * Lets those who listen for the program's end tidy up, and ends by the signal itself: an exit would take ONNX Runtime down
 * under a worker that is inside of it, which aborts the process.
 */
function endAtOnce(signal: Stop): void {
  process.emit("exit", EXIT_CODES[signal]);
  // Nobody listening, a signal does what it does to any program.
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
