import { describe, expect, it } from "vitest";
import { processMemory } from "./memory.js";

const MIB = 2 ** 20;

describe("processMemory", () => {
  it("gives bytes, the peak at least what is resident", async () => {
    const { resident, peak } = await processMemory();
    // A Node process with a test runner in it takes more than 10 MiB and less than a TiB.
    expect(resident).toBeGreaterThan(10 * MIB);
    expect(peak).toBeLessThan(2 ** 40);
    expect(peak).toBeGreaterThanOrEqual(resident);
  });

  it("sees memory that is touched, and a peak that never falls", async () => {
    const before = await processMemory();
    const touched = new Uint8Array(256 * MIB).fill(1);
    const during = await processMemory();
    expect(touched.at(-1)).toBe(1);
    expect(during.peak).toBeGreaterThanOrEqual(before.peak);
    // Half of it: another page may have been given back meanwhile.
    expect(during.resident - before.resident).toBeGreaterThan(128 * MIB);
  });
});
