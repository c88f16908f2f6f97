import { afterEach, describe, expect, it, vi } from "vitest";
import { CPU_TARGET } from "../graph/model.js";
import { Session } from "../runtime/session.js";
import { float32 } from "../runtime/tensor.js";
import { Committer } from "./committer.js";

const SHAPE = { heads: 2, dim: 4, storage: "fp32", merging: false, target: CPU_TARGET } as const;

afterEach(() => vi.restoreAllMocks());

/** Appends one token to none, [1, 1, 8]. */
async function append(committer: Committer): Promise<number> {
  const token = float32(new Float32Array(8).fill(0.5), [1, 1, 8]);
  const none = float32(new Float32Array(0), [0, 1, 8]);
  const outputs = await committer.append({ new_k: token, new_v: token, past_k: none, past_v: none }, undefined);
  return outputs.kept_k!.dims[0]!;
}

describe("a session that cannot be made", () => {
  it("is tried again when it is asked for again, and two that wait for it share its failure", async () => {
    const create = vi.spyOn(Session, "create").mockRejectedValueOnce(new Error("no memory"));
    const committer = new Committer(SHAPE, { device: "cpu" });
    const both = await Promise.allSettled([append(committer), append(committer)]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await append(committer)).toBe(1);
    expect(create).toHaveBeenCalledTimes(2);
    await committer.dispose();
  });

  it("does not keep the others from being freed", async () => {
    const committer = new Committer(SHAPE, { device: "cpu" });
    await append(committer);
    const dispose = vi.spyOn(Session.prototype, "dispose");
    vi.spyOn(Session, "create").mockRejectedValueOnce(new Error("no memory"));
    const failing = committer.narrow({}, undefined);
    // At once, while it is still being made.
    const disposing = committer.dispose();
    await expect(failing).rejects.toThrow("no memory");
    await disposing;
    expect(dispose).toHaveBeenCalledTimes(1);
  });
});
