/** Hidden states in device memory, which no collector frees: whatever fails, none of them stays. Sessions are stand-ins. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { KvCache } from "../../cache/kv-cache.js";
import { CPU_TARGET } from "../../graph/model.js";
import { untimed } from "../../runtime/clock.js";
import type { Tensor } from "../../runtime/tensor.js";
import type { TextRows } from "./text.js";
import { Transformer, type ScaleContext } from "./transformer.js";

/** Names of the tensors that nobody has freed. */
const held = new Set<string>();

afterEach(() => held.clear());

function tensor(name: string): Tensor {
  held.add(name);
  return { size: 1, dims: [1, 1, 1], dispose: () => void held.delete(name) } as unknown as Tensor;
}

interface Stand {
  run(): Promise<Record<string, Tensor>>;
  dispose(): Promise<void>;
}

const giving = (...names: string[]): Stand => ({
  run: () => Promise.resolve(Object.fromEntries(names.map((name) => [name, tensor(name)]))),
  dispose: () => Promise.resolve(),
});
const failing: Stand = {
  run: () => Promise.reject(new Error("device lost")),
  dispose: () => Promise.reject(new Error("device lost")),
};

/** A transformer of one layer on a device. */
function transformer(parts: { layer?: Stand; guidance?: Stand; head?: Stand; committer?: Stand } = {}): Transformer {
  const { layer = failing, guidance = failing, head = failing, committer = giving() } = parts;
  const config = { depth: 1, heads: 1, width: 2 };
  const loops = { ...committer, shape: { target: { ...CPU_TARGET, loops: false } } };
  const ends = [giving(), giving(), guidance];
  return Reflect.construct(Transformer, [config, "fp32", true, ...ends, [layer], head, loops, false]) as Transformer;
}

/** A scale whose tokens the cache takes, or fails to. */
function scale(commit: () => Promise<undefined>): ScaleContext {
  const none = { k: tensor("text"), v: tensor("text") };
  held.clear();
  return {
    text: { rows: 1, layers: [none] } as unknown as TextRows,
    tokens: 1,
    rotary: { cos: new Float32Array(1), sin: new Float32Array(1) },
    cache: { feeds: () => ({}), commit } as unknown as KvCache,
    scale: 0,
    remember: true,
    time: untimed,
  };
}

describe("a layer on a device", () => {
  const layer = giving("y", "new_k", "new_v");

  it("leaves its result only", async () => {
    const context = scale(() => Promise.resolve(undefined));
    await transformer({ layer }).layer(0, tensor("x"), context);
    expect([...held]).toEqual(["y"]);
  });

  it("leaves nothing where it fails, or the cache does", async () => {
    const context = scale(() => Promise.reject(new Error("no memory")));
    await expect(transformer({ layer }).layer(0, tensor("x"), context)).rejects.toThrow("no memory");
    expect([...held]).toEqual([]);
    await expect(transformer().layer(0, tensor("x"), context)).rejects.toThrow("device lost");
    expect([...held]).toEqual([]);
  });
});

describe("guidance and head on a device", () => {
  it("consume the state where they fail", async () => {
    await expect(transformer().guide(tensor("x"), 2)).rejects.toThrow("device lost");
    await expect(transformer().logits(tensor("x"), {} as TextRows)).rejects.toThrow("device lost");
    expect([...held]).toEqual([]);
  });
});

describe("disposing of a transformer", () => {
  it("frees every session, whatever the others do", async () => {
    const [layer, head] = [giving(), giving()];
    const freed = [vi.spyOn(layer, "dispose"), vi.spyOn(head, "dispose")];
    const committer = { ...failing, dispose: () => Promise.reject(new Error("the first")) };
    await expect(transformer({ layer, head, committer }).dispose()).rejects.toThrow("the first");
    freed.forEach((dispose) => expect(dispose).toHaveBeenCalledTimes(1));
  });
});
