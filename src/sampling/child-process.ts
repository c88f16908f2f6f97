/**
 * Entry of a child process: draws what its parent deals to it. It leaves Ctrl-C to its parent, and ends as soon as that is
 * gone, however it went.
 */
import type { FromChild, ToChild } from "./child-messages.js";
import { openStore } from "./open-store.js";
import { readRun } from "./run.js";
import { openStation, type Station } from "./station.js";

/** This process's side of the channel. */
class Child {
  private station: Station | undefined;
  private drawing = new AbortController();

  async take(message: ToChild): Promise<void> {
    switch (message.kind) {
      case "open": {
        const store = await openStore(message.place);
        this.station = await openStation(store, await readRun(store), message.options);
        this.ready();
        return;
      }
      case "draw":
        this.drawing = new AbortController();
        await this.station?.draw(message.indices, (record) => tell({ kind: "record", record }), this.drawing.signal);
        this.ready();
        return;
      case "stop":
        this.drawing.abort(new Error("stopped"));
    }
  }

  private ready(): void {
    tell({ kind: "ready", batch: this.station?.batch ?? 0 });
  }
}

function tell(message: FromChild): void {
  process.send?.(message);
}

function complain(error: unknown): void {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  tell({ kind: "failed", name, message });
}

const child = new Child();
process.on("SIGINT", () => undefined);
process.on("disconnect", () => process.exit());
process.on("message", (message) => {
  child.take(message as ToChild).catch(complain);
});
