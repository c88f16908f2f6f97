import { describe, expect, it } from "vitest";
import { plan } from "../../../test/support/run.js";
import { inTemporaryFolder } from "../../../test/support/temporary.js";
import { SamplingError } from "../../errors.js";
import { FolderStore } from "../folder-store.js";
import type { PictureRecord } from "../records.js";
import { openRun } from "../run.js";
import type { Station } from "../station.js";
import { Desk, GivenBack } from "./desk.js";
import type { Order } from "./easel.js";
import { runId } from "./job.js";

/** What a desk did, by what it said. */
interface Seen {
  readonly batches: number[][];
  readonly rooms: number[];
  readonly hopeless: unknown[];
  opened: number;
}

interface Scene {
  readonly desk: Desk;
  readonly seen: Seen;
  readonly stop: AbortController;
  /** Asks for a task; `before` is what became of it. */
  readonly ask: (index: number, before?: Partial<Order>) => Promise<PictureRecord>;
}

/** A desk whose station draws by `fate`, four at once. */
function withDesk(fate: (index: number) => void, play: (scene: Scene) => Promise<void>): Promise<void> {
  return inTemporaryFolder(async (folder) => {
    const store = new FolderStore(folder);
    const { manifest } = await openRun(store, plan(20));
    const seen: Seen = { batches: [], rooms: [], hopeless: [], opened: 0 };
    const stop = new AbortController();
    const station: Station = {
      batch: 4,
      draw: async (indices, onRecord, signal) => {
        await Promise.resolve();
        signal?.throwIfAborted();
        seen.batches.push([...indices]);
        for (const index of indices) {
          fate(index);
          onRecord({ index } as PictureRecord);
        }
      },
      close: () => Promise.resolve(),
    };
    const desk = new Desk({
      openStore: () => Promise.resolve(store),
      openStation: () => {
        seen.opened++;
        return Promise.resolve(station);
      },
      signal: stop.signal,
      onRecord: () => undefined,
      onHopeless: (reason) => seen.hopeless.push(reason),
    });
    const job = { run: runId(manifest, folder), place: folder, again: false };
    const ask: Scene["ask"] = (index, before) =>
      desk.draw({ job: { ...job, index }, failures: 0, deaths: 0, ...before }, (room) => seen.rooms.push(room));
    await play({ desk, seen, stop, ask });
    await desk.close();
  });
}

const fine = (): void => undefined;
const upTo = (count: number): number[] => [...Array(count).keys()];

describe("Desk", () => {
  it("draws what comes together as one batch, each to whom it belongs", () =>
    withDesk(fine, async ({ seen, ask }) => {
      await ask(9);
      const records = await Promise.all(upTo(6).map((index) => ask(index)));
      expect(records.map(({ index }) => index)).toEqual(upTo(6));
      expect(seen).toEqual({ batches: [[9], [0, 1, 2, 3], [4, 5]], rooms: [4], hopeless: [], opened: 1 });
    }));

  it("draws alone what failed before, or outlived its worker", () =>
    withDesk(fine, async ({ seen, ask }) => {
      await Promise.all([ask(0), ask(1, { failures: 1 }), ask(2), ask(3, { deaths: 1 }), ask(4)]);
      expect(seen.batches.map((batch) => batch.join())).toEqual(["0,2,4", "1", "3"]);
    }));

  it("fails a batch with the picture that fails, loads anew, and goes on", () =>
    withDesk(
      (index) => {
        if (index === 1) throw new Error("no luck");
      },
      async ({ seen, ask }) => {
        const results = await Promise.allSettled([ask(0), ask(1), ask(2)]);
        expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
        await ask(3);
        expect(seen.opened).toBe(2);
        expect(seen.hopeless).toEqual([]);
      },
    ));

  it("gives up after eight failures in a row, and gives back what waits", () =>
    withDesk(
      () => {
        throw new Error("disk full");
      },
      async ({ seen, ask }) => {
        for (const index of upTo(7)) await expect(ask(index)).rejects.toThrow("disk full");
        expect(seen.hopeless).toEqual([]);
        await expect(ask(7)).rejects.toThrow("disk full");
        expect(seen.hopeless).toEqual([new Error("disk full")]);
        await expect(ask(8)).rejects.toThrow(GivenBack);
      },
    ));

  it("gives up at once where the place holds another run", () =>
    withDesk(fine, async ({ seen, ask }) => {
      const other = ask(0, { job: { run: "0".repeat(32), place: "elsewhere", index: 0, again: false } });
      await expect(other).rejects.toThrow(SamplingError);
      await expect(other).rejects.toThrow("holds another run than the queue's");
      expect(seen.hopeless).toHaveLength(1);
    }));

  it("gives back everything once it is stopped", () =>
    withDesk(fine, async ({ seen, stop, ask }) => {
      await ask(0);
      const waiting = [1, 2].map((index) => ask(index));
      stop.abort(new Error("stopped"));
      for (const one of waiting) await expect(one).rejects.toThrow(GivenBack);
      expect(seen.batches).toEqual([[0]]);
    }));
});
