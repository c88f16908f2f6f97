import { expect, it } from "vitest";
import { disposeAll } from "./dispose.js";

it("disposes of all in their order, whatever the others do, and throws the first error", async () => {
  const told: number[] = [];
  const owner = (number: number, problem?: string): { dispose(): Promise<void> } => ({
    dispose: () => {
      told.push(number);
      return problem === undefined ? Promise.resolve() : Promise.reject(new Error(problem));
    },
  });
  await expect(disposeAll([owner(1), owner(2, "second"), owner(3, "third"), owner(4)])).rejects.toThrow("second");
  await disposeAll([owner(5), owner(6)]);
  expect(told).toEqual([1, 2, 3, 4, 5, 6]);
});
