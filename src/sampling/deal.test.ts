import { describe, expect, it } from "vitest";
import { tasks } from "../../test/support/run.js";
import { ModelError } from "../errors.js";
import { deal, type Deal } from "./deal.js";
import type { PictureRecord } from "./records.js";
import type { Station } from "./station.js";

/** A station that draws nothing and tells of it; `fate` decides on each task, and may throw. */
function station(fate: (index: number) => void = () => undefined): Station {
  return {
    batch: 2,
    async draw(indices, onRecord) {
      for (const index of indices) {
        await Promise.resolve();
        fate(index);
        onRecord({ index } as PictureRecord);
      }
    },
    close: () => Promise.resolve(),
  };
}

/** Deals `count` tasks; how often each was told of, and what failed. */
async function play(
  count: number,
  how: Pick<Deal, "stations" | "open" | "signal">,
): Promise<{ told: number[]; failed: number[] }> {
  const told: number[] = [];
  const failures = await deal({ ...how, tasks: tasks(count), onRecord: ({ index }) => told.push(index) });
  return { told: told.sort((a, b) => a - b), failed: failures.map(({ index }) => index) };
}

const upTo = (count: number): number[] => [...Array(count).keys()];

describe("deal", () => {
  it("has every task drawn once, by no more stations than there are tasks", async () => {
    const opened: number[] = [];
    const open = (seat: number): Promise<Station> => {
      opened.push(seat);
      return Promise.resolve(station());
    };
    expect(await play(9, { stations: 3, open })).toEqual({ told: upTo(9), failed: [] });
    expect(await play(1, { stations: 3, open })).toEqual({ told: [0], failed: [] });
    expect(await play(0, { stations: 3, open })).toEqual({ told: [], failed: [] });
    expect(opened).toEqual([0, 1, 2, 0]);
  });

  it("replaces a station that failed, and gives its tasks to others", async () => {
    let opened = 0;
    const open = (): Promise<Station> => {
      const own = opened++;
      return Promise.resolve(
        station((index) => {
          if (own === 0 && index === 1) throw new Error("died");
        }),
      );
    };
    expect(await play(6, { stations: 2, open })).toEqual({ told: upTo(6), failed: [] });
    expect(opened).toBe(3);
  });

  it("lists a task that nobody can draw, and draws the rest", async () => {
    const open = (): Promise<Station> =>
      Promise.resolve(
        station((index) => {
          if (index === 2) throw new Error("never");
        }),
      );
    expect(await play(5, { stations: 2, open })).toEqual({ told: [0, 1, 3, 4], failed: [2] });
  });

  it("goes on with those that open, and lists everything where none does", async () => {
    const open = (seat: number): Promise<Station> =>
      seat === 0 ? Promise.reject(new Error("no memory")) : Promise.resolve(station());
    expect(await play(6, { stations: 2, open })).toEqual({ told: upTo(6), failed: [] });
    expect(await play(6, { stations: 1, open })).toEqual({ told: [], failed: upTo(6) });
  });

  it("ends at once with bad input, after all stations are closed", async () => {
    let closed = 0;
    const close = (): Promise<void> => {
      closed++;
      return Promise.resolve();
    };
    const open = (seat: number): Promise<Station> =>
      seat === 0 ? Promise.resolve({ ...station(), close }) : Promise.reject(new ModelError("no such model"));
    await expect(play(6, { stations: 2, open })).rejects.toThrow(new ModelError("no such model"));
    expect(closed).toBe(1);
  });

  it("ends with the signal's reason, even where a station is idle that waits for another's task", async () => {
    const controller = new AbortController();
    const idle = { ...station(), batch: 1 };
    const busy: Station = {
      ...idle,
      draw: (_, __, signal) => new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error()))),
    };
    const open = (seat: number): Promise<Station> => Promise.resolve(seat === 0 ? busy : idle);
    const playing = play(4, { stations: 2, open, signal: controller.signal });
    // By then the idle one has drawn all the others.
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(playing).rejects.toThrow("enough");
  });

  it("replaces a station that cannot even be closed", async () => {
    let opened = 0;
    const broken: Station = {
      batch: 2,
      draw: () => Promise.reject(new Error("died")),
      close: () => Promise.reject(new Error("gone")),
    };
    const open = (): Promise<Station> => Promise.resolve(opened++ === 0 ? broken : station());
    expect(await play(3, { stations: 1, open })).toEqual({ told: upTo(3), failed: [] });
  });

  it("ends with the signal's reason", async () => {
    const controller = new AbortController();
    const open = (): Promise<Station> =>
      Promise.resolve(
        station((index) => {
          if (index === 3) controller.abort(new Error("enough"));
        }),
      );
    await expect(play(6, { stations: 1, open, signal: controller.signal })).rejects.toThrow("enough");
  });
});
