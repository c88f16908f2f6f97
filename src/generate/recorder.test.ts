import { expect, it } from "vitest";
import { Recorder } from "./recorder.js";

const wait = (ms: number): Promise<string> => new Promise((done) => setTimeout(() => done("done"), ms));

it("gives every part of a stage its own time, those within one another too, and passes results and errors on", async () => {
  const recorder = new Recorder();
  const outer = recorder.time("outer", async () => {
    await wait(10);
    await recorder.time("inner", () => wait(30));
    return wait(10);
  });
  expect(await outer).toBe("done");
  await expect(recorder.time("outer", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await recorder.mark("first", 5);
  await recorder.mark("second", 0);
  const [first, second] = recorder.stages;
  const parts = first!.parts!;
  expect(Object.keys(parts)).toEqual(["inner", "outer"]);
  // Were the inner part counted twice, the two would make more than what passed.
  expect(parts.inner! + parts.outer!).toBeLessThanOrEqual(first!.seconds);
  expect(second!.parts).toEqual({});
  expect(recorder.seconds).toBeGreaterThanOrEqual(first!.seconds);
});
