import { describe, expect, it } from "vitest";
import { unlessAborted } from "./unless-aborted.js";

const never = new Promise<never>(() => undefined);

describe("unlessAborted", () => {
  it("is what the work comes to, and listens no longer", async () => {
    const { signal } = new AbortController();
    const listeners = new Set<unknown>();
    signal.addEventListener = (_: string, listener: unknown) => void listeners.add(listener);
    signal.removeEventListener = (_: string, listener: unknown) => void listeners.delete(listener);
    const answer = unlessAborted(Promise.resolve(7), signal);
    expect(listeners.size).toBe(1);
    expect(await answer).toBe(7);
    await expect(unlessAborted(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
    expect(listeners.size).toBe(0);
  });

  it("is the reason where the signal is aborted meanwhile or was before", async () => {
    const controller = new AbortController();
    const waiting = unlessAborted(never, controller.signal);
    controller.abort("enough");
    await expect(waiting).rejects.toBe("enough");
    await expect(unlessAborted(never, controller.signal)).rejects.toBe("enough");
  });
});
