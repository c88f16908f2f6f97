/**
 * A station in a process of its own: a crash there, or the system taking its memory back, costs what it was drawing and
 * nothing else.
 */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as errors from "../errors.js";
import type { ChildOptions, FromChild, ToChild } from "./child-messages.js";
import type { PictureRecord } from "./records.js";
import type { Station } from "./station.js";

/** Where a child works. */
export interface ChildPlace {
  /** The store's. */
  readonly place: string;
  readonly options: ChildOptions;
  /** Variables that it has besides our own, such as which GPU it sees. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** Starts a child and waits until its model is loaded; it is ended where that fails. */
export async function openChildStation(
  { place, options, environment }: ChildPlace,
  signal?: AbortSignal,
): Promise<Station> {
  const script = fileURLToPath(new URL("./child-process.js", import.meta.url));
  const forked = fork(script, { execArgv: [], env: { ...process.env, ...environment } });
  const child = new ChildStation(forked);
  try {
    await child.ask({ kind: "open", place, options }, () => undefined, signal);
    return child;
  } catch (error) {
    await child.close();
    throw error;
  }
}

class ChildStation implements Station {
  batch = 0;
  /** Resolves, never rejects, once the process is gone; the text says how it went. */
  private readonly gone: Promise<string>;

  constructor(private readonly child: ChildProcess) {
    this.gone = new Promise((resolve) => {
      child.once("error", ({ message }) => resolve(message));
      child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    // A channel that broke shows in the end of the process.
    child.on("error", () => undefined);
  }

  async draw(
    indices: readonly number[],
    onRecord: (record: PictureRecord) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.ask({ kind: "draw", indices }, onRecord, signal);
  }

  /** Nothing that matters is lost: what the child has told of lies on the disk. */
  async close(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.gone;
  }

  /** Sends a message and waits for its answer; an abort is passed on, and the child's pictures so far are still told of. */
  async ask(message: ToChild, onRecord: (record: PictureRecord) => void, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const stop = (): void => this.send(message.kind === "draw" ? { kind: "stop" } : undefined);
    signal?.addEventListener("abort", stop);
    try {
      this.send(message);
      await Promise.race([this.answer(onRecord), this.death()]);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
    signal?.throwIfAborted();
  }

  private send(message: ToChild | undefined): void {
    // While it loads there is nothing to keep.
    if (!message) this.child.kill("SIGKILL");
    else if (this.child.connected) this.child.send(message);
  }

  private answer(onRecord: (record: PictureRecord) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const take = (message: FromChild): void => {
        if (message.kind === "record") {
          onRecord(message.record);
          return;
        }
        this.child.off("message", take);
        if (message.kind === "failed") {
          reject(restore(message));
          return;
        }
        this.batch = message.batch;
        resolve();
      };
      this.child.on("message", take);
    });
  }

  private async death(): Promise<never> {
    throw new Error(`the process ${this.child.pid} that drew it ended: ${await this.gone}`);
  }
}

/** An error of ours loses its class on the way; its name brings it back. */
function restore({ name, message }: { name: string; message: string }): Error {
  const known = Object.entries(errors).find(([own]) => own === name)?.[1];
  return known ? new known(message) : new Error(message);
}
