/** The queue with a real Redis, and with stations that commit a few bytes where others draw. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Worker as Thread } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { ModelError } from "../../src/errors.js";
import { readFailures } from "../../src/sampling/failures.js";
import { FolderStore } from "../../src/sampling/folder-store.js";
import { merge } from "../../src/sampling/merge.js";
import { findPictures } from "../../src/sampling/pictures.js";
import { drawByQueue } from "../../src/sampling/queue/draw-by-queue.js";
import { readEvents } from "../../src/sampling/queue/events.js";
import { serve, type ServeOptions, type ServeReport } from "../../src/sampling/queue/serve.js";
import { readRecords } from "../../src/sampling/records.js";
import { openRun, type Run } from "../../src/sampling/run.js";
import { sample } from "../../src/sampling/sample.js";
import type { Station } from "../../src/sampling/station.js";
import type { Store } from "../../src/sampling/store.js";
import { redisMissing, withRedis, type RedisServer } from "../support/redis.js";
import { commitAll, plan } from "../support/run.js";
import { inTemporaryFolder } from "../support/temporary.js";

/** What becomes of the task with this number: it may take its time, and it may throw. */
type Fate = (index: number, signal?: AbortSignal) => Promise<unknown>;

const quick: Fate = () => Promise.resolve();

/** A worker whose pictures are a few bytes. */
interface FakeWorker {
  readonly drawn: number[];
  readonly report: Promise<ServeReport>;
  stop(): Promise<void>;
}

function startWorker(
  address: string,
  fate: Fate,
  options: Partial<ServeOptions> & { batch?: number } = {},
): FakeWorker {
  const { batch = 1, ...rest } = options;
  const end = new AbortController();
  const drawn: number[] = [];
  const openStation = (store: Store, run: Run): Promise<Station> =>
    Promise.resolve({
      batch,
      async draw(indices, onRecord, signal) {
        for (const index of indices) {
          await fate(index, signal);
          signal?.throwIfAborted();
          drawn.push(index);
          const [record] = await commitAll(store, [run.tasks[index]!]);
          onRecord(record!);
        }
      },
      close: () => Promise.resolve(),
    } satisfies Station);
  const openStore = (place: string): Promise<Store> => Promise.resolve(new FolderStore(place));
  const report = serve({ address, openStore, openStation, lock: 2, signal: end.signal, ...rest });
  report.catch(() => undefined);
  return {
    drawn,
    report,
    stop: async () => {
      end.abort(new Error("stopped"));
      await report.catch(() => undefined);
    },
  };
}

interface Scene {
  readonly server: RedisServer;
  readonly store: FolderStore;
  readonly run: Run;
  /** As `scalekv sample --queue` does. */
  readonly sampleAll: (signal?: AbortSignal) => ReturnType<typeof sample>;
}

function inScene(count: number, durable: boolean, play: (scene: Scene) => Promise<void>): Promise<void> {
  return withRedis(durable, (server) =>
    inTemporaryFolder(async (folder) => {
      const store = new FolderStore(join(folder, "run"));
      const run = await openRun(store, plan(count));
      const sampleAll: Scene["sampleAll"] = (signal) =>
        sample({
          store,
          run,
          signal,
          drawAll: (work) => drawByQueue({ ...work, store, run, address: server.address }),
        });
      await play({ server, store, run, sampleAll });
    }),
  );
}

const upTo = (count: number): number[] => [...Array(count).keys()];
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

/** How often each event stands in the record. */
async function eventCounts(store: Store): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { event } of await readEvents(store)) counts[event] = (counts[event] ?? 0) + 1;
  return counts;
}

/** Waits for something that others do. */
async function until(reached: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await reached())) await delay(20);
}

/** A thread that does nothing but block, as one that draws does. */
function blockedThread(milliseconds: number): Promise<void> {
  const code = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${milliseconds})`;
  return new Promise((resolve) => new Thread(code, { eval: true }).once("exit", () => resolve()));
}

const missing = redisMissing();

describe.skipIf(missing !== undefined)(`the queue${missing === undefined ? "" : ` (${missing})`}`, () => {
  it("says what was drawn when it is stopped, as that is how a worker ends", () =>
    inScene(3, false, async ({ server, sampleAll }) => {
      const told: ServeReport[] = [];
      const worker = startWorker(server.address, quick, { onEnd: (report) => told.push(report) });
      await sampleAll();
      expect(told).toEqual([]);
      await worker.stop();
      await expect(worker.report).rejects.toThrow("stopped");
      expect(told).toEqual([{ drawn: 3, failed: 0 }]);
    }));

  it("has 300 tasks drawn by three workers, each of them once", () =>
    inScene(300, false, async ({ server, store, sampleAll }) => {
      const workers = [1, 4, 7].map((batch) => startWorker(server.address, quick, { batch, once: false }));
      const report = await sampleAll();
      await Promise.all(workers.map((worker) => worker.stop()));
      expect(report).toMatchObject({ total: 300, drawn: 300, skipped: 0, failed: [] });
      expect(sorted(workers.flatMap(({ drawn }) => drawn))).toEqual(upTo(300));
      expect(await eventCounts(store)).toEqual({});
    }));

  it("puts a task into the queue once, however many samplers want it", () =>
    inScene(20, false, async ({ server, sampleAll }) => {
      const samplers = [sampleAll(), sampleAll()];
      await delay(500);
      const worker = startWorker(server.address, () => delay(20));
      const reports = await Promise.all(samplers);
      await worker.stop();
      expect(reports.map(({ drawn }) => drawn)).toEqual([20, 20]);
      expect(sorted(worker.drawn)).toEqual(upTo(20));
    }));

  it("draws only what is missing, also what a finished job had left behind", () =>
    inScene(10, false, async ({ server, store, sampleAll }) => {
      const first = startWorker(server.address, quick);
      await sampleAll();
      await store.remove("3.png");
      await store.put("7.png", Buffer.from("damaged"));
      expect(await sampleAll()).toMatchObject({ drawn: 2, skipped: 8 });
      await first.stop();
      expect(first.drawn.slice(10).sort()).toEqual([3, 7]);
    }));

  it("leaves a picture to its worker however long it takes", () =>
    inScene(1, false, async ({ server, store, sampleAll }) => {
      let begun = false;
      // Three times as long as the lock, in a thread of its own, as the engine is.
      const slow = startWorker(server.address, () => {
        begun = true;
        return blockedThread(6000);
      });
      const sampling = sampleAll();
      await until(() => begun);
      const eager = startWorker(server.address, quick);
      expect(await sampling).toMatchObject({ drawn: 1 });
      await Promise.all([slow.stop(), eager.stop()]);
      expect([slow.drawn, eager.drawn]).toEqual([[0], []]);
      expect(await eventCounts(store)).toEqual({});
    }));

  it("tries again what failed, alone and later, and lists what cannot be drawn", () =>
    inScene(12, false, async ({ server, store, run }) => {
      const failures = new Map<number, number>();
      const fate: Fate = (index) => {
        const before = failures.get(index) ?? 0;
        if (index !== 5 && !(index === 2 && before < 2)) return quick(index);
        failures.set(index, before + 1);
        return Promise.reject(new Error(`no luck with ${index}`));
      };
      const worker = startWorker(server.address, fate, { batch: 4 });
      const drawAll: Parameters<typeof sample>[0]["drawAll"] = (work) =>
        drawByQueue({ ...work, store, run, address: server.address, pause: 0.05 });
      const report = await sample({ store, run, drawAll });
      await worker.stop();
      const failure = { index: 5, file: "5.png", prompt: "prompt 5", attempts: 6, message: "no luck with 5" };
      expect(report).toMatchObject({ total: 12, drawn: 11, failed: [failure] });
      expect(await readFailures(store)).toEqual([failure]);
      expect(sorted(worker.drawn)).toEqual(upTo(12).filter((index) => index !== 5));
      const events = await readEvents(store);
      const messages = events
        .filter(({ event, index }) => event === "retry" && index === 2)
        .map(({ message }) => message);
      // In the first round it may also have been drawn beside 5, which spoilt it.
      expect(messages.slice(-1)).toEqual(["no luck with 2"]);
      expect(events.filter(({ event }) => event === "failed")).toMatchObject([{ index: 5, message: "no luck with 5" }]);
    }));

  it("gives back what a worker that is stopped was drawing", () =>
    inScene(8, false, async ({ server, store, sampleAll }) => {
      let begun = 0;
      const forever: Fate = (_, signal) => {
        begun++;
        return new Promise((resolve) => signal?.addEventListener("abort", resolve));
      };
      const stuck = startWorker(server.address, forever, { batch: 4 });
      const sampling = sampleAll();
      await until(() => begun > 0);
      await stuck.stop();
      await expect(stuck.report).rejects.toThrow("stopped");
      const other = startWorker(server.address, quick);
      expect(await sampling).toMatchObject({ drawn: 8, failed: [] });
      await other.stop();
      expect(stuck.drawn).toEqual([]);
      expect(await eventCounts(store)).toEqual({});
    }));

  it("does without a worker that has not got the model", () =>
    inScene(6, false, async ({ server, sampleAll }) => {
      const openStation = (): Promise<Station> => Promise.reject(new ModelError("no such model here"));
      const poor = startWorker(server.address, quick, { openStation });
      const sampling = sampleAll();
      await expect(poor.report).rejects.toThrow(new ModelError("no such model here"));
      const rich = startWorker(server.address, quick);
      expect(await sampling).toMatchObject({ drawn: 6, failed: [] });
      await rich.stop();
    }));

  it("does not believe a worker that writes elsewhere", () =>
    inScene(3, false, async ({ server, store, run }) => {
      await inTemporaryFolder(async (folder) => {
        const elsewhere = new FolderStore(folder);
        await openRun(elsewhere, plan(3));
        const worker = startWorker(server.address, quick, { openStore: () => Promise.resolve(elsewhere) });
        const work = { store, run, address: server.address, tasks: run.tasks, patience: 0.1 };
        const failures = await drawByQueue({ ...work, onRecord: () => expect.fail("not there") });
        await worker.stop();
        const message = `drawn twice, and not to be seen in ${store.place}: do the workers write elsewhere?`;
        expect(failures.map((failure) => [failure.index, failure.message])).toEqual(upTo(3).map((i) => [i, message]));
      });
    }));

  it("takes back what nobody has begun when the sampler is stopped", () =>
    inScene(50, false, async ({ server, store, run, sampleAll }) => {
      const end = new AbortController();
      const sampling = sampleAll(end.signal);
      const worker = startWorker(server.address, () => delay(50));
      await until(() => worker.drawn.length > 2);
      end.abort(new Error("enough"));
      await expect(sampling).rejects.toThrow("enough");
      await worker.stop();
      const rest = await startWorker(server.address, quick, { once: true }).report;
      // What the first worker had in hand was given back.
      expect(rest.drawn).toBeLessThanOrEqual(1);
      const found = await findPictures(store, run.tasks);
      expect(found.filter(({ state }) => state === "done").length).toBe(worker.drawn.length + rest.drawn);
    }));

  it.each([
    ["keeps its memory", true],
    ["loses its memory", false],
  ])("goes on after a Redis that dies and %s", (_, durable) =>
    inScene(120, durable, async ({ server, store, sampleAll }) => {
      const workers = [3, 3, 3].map((batch) => startWorker(server.address, () => delay(30), { batch }));
      const drawn = (): number[] => workers.flatMap((worker) => worker.drawn);
      const sampling = sampleAll();
      await until(() => drawn().length > 40);
      await server.kill();
      await delay(300);
      await server.restart();
      expect(await sampling).toMatchObject({ total: 120, drawn: 120, failed: [] });
      await Promise.all(workers.map((worker) => worker.stop()));
      const counts = await eventCounts(store);
      expect(counts.reconnected).toBeGreaterThanOrEqual(2);
      expect((counts["enqueued again"] ?? 0) > 0).toBe(!durable);
      // At least once each; where twice, with the same bytes, and the merged record has one line for each.
      expect([...new Set(sorted(drawn()))]).toEqual(upTo(120));
      await inTemporaryFolder(async (folder) => {
        const target = new FolderStore(folder);
        expect(await merge(target, [store])).toMatchObject({ copied: 120, missing: 0, damaged: [] });
        const records = [...(await readRecords(target)).values()].flat();
        expect(sorted(records.map(({ index }) => index))).toEqual(upTo(120));
      });
    }),
  );
});
