import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { task, tasks } from "../../test/support/run.js";
import { TaskQueue } from "./task-queue.js";

const indices = (taken: readonly { index: number }[]): number[] => taken.map(({ index }) => index);

describe("TaskQueue", () => {
  it("fills a batch with whole tasks, by their images", () => {
    const grids = tasks(4).map((one) => ({ ...one, seeds: [0, 1, 2] }));
    const queue = new TaskQueue(grids, 1);
    expect([queue.take(7), queue.take(1), queue.take(16), queue.take(16)].map(indices)).toEqual([[0, 1], [2], [3], []]);
  });

  it("leaves every station a share towards the end", () => {
    const queue = new TaskQueue(tasks(10), 3);
    const taken = Array.from({ length: 6 }, () => queue.take(4).length);
    expect(taken).toEqual([4, 2, 2, 1, 1, 0]);
  });

  it("gives a task that failed out again at the end and alone, three times in all", async () => {
    const queue = new TaskQueue(tasks(3), 1);
    const batch = queue.take(2);
    queue.done(0);
    queue.failed(batch, new Error("no"));
    expect(indices(queue.take(2))).toEqual([2]);
    queue.done(2);
    for (const attempt of [2, 3]) {
      expect(await queue.pending()).toBe(true);
      const again = queue.take(2);
      expect(indices(again)).toEqual([1]);
      queue.failed(again, new Error(`no ${attempt}`));
    }
    expect(await queue.pending()).toBe(false);
    expect(queue.failures).toEqual([{ index: 1, file: "1.png", prompt: "prompt 1", attempts: 3, message: "no 3" }]);
  });

  it("keeps idle stations waiting as long as a task may come back", async () => {
    const queue = new TaskQueue(tasks(1), 2);
    const taken = queue.take(1);
    const waiting = queue.pending();
    queue.failed(taken, "died");
    expect(await waiting).toBe(true);
    queue.take(1);
    const last = queue.pending();
    queue.done(0);
    expect(await last).toBe(false);
  });

  it("gives up where everything fails, and lists what it did not try", () => {
    const queue = new TaskQueue(tasks(40), 1);
    for (let i = 0; i < 32; i++) queue.failed(queue.take(1), "disk full");
    expect(queue.take(1)).toEqual([]);
    expect(queue.failures).toHaveLength(40);
    expect(queue.failures[0]).toMatchObject({ index: 32, attempts: 0 });
    expect(queue.failures[0]!.message).toBe("given up after 32 failures in a row, the last: disk full");
  });

  it("has nobody draw once the last station has left", () => {
    const queue = new TaskQueue([task(0)], 2);
    queue.leave("first");
    expect(queue.failures).toEqual([]);
    queue.leave("second");
    expect(queue.failures.map(({ message }) => message)).toEqual(["no process is left that draws: second"]);
  });

  it("settles every task exactly once, whatever fails", () => {
    fc.assert(
      fc.property(fc.nat(30), fc.integer({ min: 1, max: 5 }), fc.infiniteStream(fc.boolean()), (count, batch, luck) => {
        const queue = new TaskQueue(tasks(count), 2);
        const settled: number[] = [];
        for (let taken = queue.take(batch); taken.length > 0; taken = queue.take(batch)) {
          const drawn = taken.filter(() => luck.next().value);
          for (const { index } of drawn) queue.done(index);
          settled.push(...indices(drawn));
          if (drawn.length < taken.length) queue.failed(taken, "no");
        }
        settled.push(...indices(queue.failures));
        expect(settled.sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
      }),
    );
  });
});
