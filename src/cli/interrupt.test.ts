import { describe, expect, it } from "vitest";
import { Interrupted, interruptible } from "./interrupt.js";

/** Waits for the signal, then ends as `how` says. */
function untilAborted(signal: AbortSignal, how: () => Error): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => {
      reject(how());
    });
    process.emit("SIGINT", "SIGINT");
  });
}

describe("interruptible", () => {
  it("returns what the work returns and leaves no listener behind", async () => {
    const before = process.listenerCount("SIGINT");
    await expect(interruptible(() => Promise.resolve(3))).resolves.toBe(3);
    expect(process.listenerCount("SIGINT")).toBe(before);
  });

  it("rejects with exit code 130, whatever the work makes of the signal", async () => {
    const other = interruptible((signal) => untilAborted(signal, () => new Error("something else")));
    await expect(other).rejects.toEqual(new Interrupted("SIGINT"));
    expect(new Interrupted("SIGINT").exitCode).toBe(130);
    expect(new Interrupted("SIGTERM").exitCode).toBe(143);
  });

  it("rejects although the work had nothing left to do", async () => {
    const late = interruptible(() => {
      process.emit("SIGINT", "SIGINT");
      return Promise.resolve(3);
    });
    await expect(late).rejects.toEqual(new Interrupted("SIGINT"));
  });

  it("passes the work's own errors on", async () => {
    await expect(interruptible(() => Promise.reject(new RangeError("own")))).rejects.toThrow(RangeError);
  });
});
