/** Hidden states in device memory, which no collector frees: whatever fails, none of them stays. Sessions are stand-ins. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { KvCache } from "../../cache/kv-cache.js";
import { OptionError } from "../../errors.js";
import { CPU_TARGET } from "../../graph/model.js";
import { untimed } from "../../runtime/clock.js";
import type { Tensors } from "../../runtime/session.js";
import type { Tensor } from "../../runtime/tensor.js";
import { DeviceLayer } from "./device-layer.js";
import { StateMemory } from "./host-layer.js";
import type { TextRows } from "./text.js";
import { holdsScores } from "./self-attention.js";
import { Transformer, type ScaleContext } from "./transformer.js";

/** Names of the tensors that nobody has freed. */
const held = new Set<string>();

afterEach(() => held.clear());

function tensor(name: string, dims = [1, 1, 1]): Tensor {
  held.add(name);
  return { size: 1, dims, dispose: () => void held.delete(name) } as unknown as Tensor;
}

interface Stand {
  run(feeds: Tensors): Promise<Record<string, Tensor>>;
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

const CONFIG = { depth: 1, heads: 1, width: 2, hidden: 8 };

/** A layer on a device, of its two sessions. */
const deviceLayer = (making: Stand, reading: Stand): DeviceLayer =>
  Reflect.construct(DeviceLayer, [CONFIG, false, making, reading]) as DeviceLayer;

/** A transformer of one layer on a device. */
function transformer(
  parts: { layer?: DeviceLayer; guidance?: Stand; head?: Stand; committer?: Stand } = {},
): Transformer {
  const { layer = deviceLayer(failing, failing), guidance = failing, head = failing, committer = giving() } = parts;
  const loops = { ...committer, shape: { target: { ...CPU_TARGET, loops: false } } };
  const ends = [giving(), giving(), guidance];
  const rest = [[layer], head, loops, false, new StateMemory()];
  return Reflect.construct(Transformer, [CONFIG, "fp32", true, ...ends, ...rest]) as Transformer;
}

/** A scale whose tokens the cache takes, or fails to. */
function scale(commit: () => Promise<undefined>): ScaleContext {
  const none = { k: tensor("text"), v: tensor("text") };
  held.clear();
  return {
    text: { rows: 1, layers: [none] } as unknown as TextRows,
    tokens: 1,
    rotary: { cos: new Float32Array(1), sin: new Float32Array(1) },
    cache: { feeds: () => ({}), outputs: () => undefined, commit } as unknown as KvCache,
    scale: 0,
    remember: true,
    time: untimed,
  };
}

describe("a layer on a device", () => {
  const making = giving("q", "keys.0", "values.0", "new_k", "new_v", "observed_attention");
  const layer = deviceLayer(making, giving("y"));

  it("leaves its result only", async () => {
    const context = scale(() => Promise.resolve(undefined));
    await transformer({ layer }).layer(0, tensor("x"), context);
    expect([...held]).toEqual(["y"]);
  });

  it("leaves nothing where it fails, or the cache does", async () => {
    const context = scale(() => Promise.reject(new Error("no memory")));
    await expect(transformer({ layer }).layer(0, tensor("x"), context)).rejects.toThrow("no memory");
    expect([...held]).toEqual([]);
    for (const fails of [deviceLayer(failing, failing), deviceLayer(making, failing)]) {
      await expect(transformer({ layer: fails }).layer(0, tensor("x"), context)).rejects.toThrow("device lost");
      expect([...held]).toEqual([]);
    }
  });

  it("reads in pieces that can be bound, and leaves none but the last one's result", async () => {
    // 2²⁵ numbers can be bound, and a token of a row has 8 in its hidden layer: four tokens of all rows.
    const [rows, tokens] = [2 ** 20, 10];
    const pieces: number[][] = [];
    const before: string[] = [];
    const reading: Stand = {
      ...failing,
      run: ({ piece, done }) => {
        pieces.push(Array.from(piece!.data as BigInt64Array, Number));
        before.push(done!.dims.join(" "));
        return Promise.resolve({ y: tensor(`y ${pieces.length}`, [rows, pieces.at(-1)![1]!, 2]) });
      },
    };
    const { reading: text, ...feeds } = {
      modulation: tensor("m"),
      making: {},
      reading: { text_k: tensor("t", [1, 1, 2]) },
    };
    held.clear();
    const made = await deviceLayer(making, reading).run(tensor("x", [rows, tokens, 2]), { ...feeds, reading: text });
    expect(pieces).toEqual([
      [0, 3],
      [3, 7],
      [7, 10],
    ]);
    expect(before).toEqual([`${rows} 0 2`, `${rows} 3 2`, `${rows} 7 2`]);
    expect(Object.keys(made)).toEqual(["y", "new_k", "new_v", "observed_attention"]);
    expect([...held]).toEqual(["new_k", "new_v", "observed_attention", "y 3"]);
  });
});

describe("scores on a device", () => {
  it("count where they are held, for the heads whose keys are one value", async () => {
    const run = async (slots: number): Promise<number[]> => {
      const ends: number[] = [];
      const reading: Stand = {
        ...failing,
        run: ({ piece }) => {
          ends.push(Number((piece!.data as BigInt64Array)[1]));
          return Promise.resolve({ y: tensor("y") });
        },
      };
      // 2²⁰ keys of each slot, and a row.
      const keys = Array.from(
        { length: slots },
        (_, i) => [`keys.${i}`, tensor(`keys.${i}`, [1, 2 ** 20, 1])] as const,
      );
      const making: Stand = { ...failing, run: () => Promise.resolve(Object.fromEntries(keys)) };
      const layer = Reflect.construct(DeviceLayer, [{ ...CONFIG, heads: 4 }, true, making, reading]) as DeviceLayer;
      const feeds = { modulation: tensor("m"), making: {}, reading: { text_k: tensor("text", [1, 1, 2]) } };
      await layer.run(tensor("x", [1, 32, 2]), feeds);
      return ends;
    };
    expect(await run(1)).toEqual([8, 16, 24, 32]);
    expect(await run(4)).toEqual([32]);
  });

  it.each([
    [{ target: { fusedAttention: true, loops: false } }, false],
    [{ target: { fusedAttention: false, loops: false } }, true],
    [{ target: { fusedAttention: true, loops: false }, merging: true }, true],
  ])("are held by %o: %s", (options, held) => {
    expect(holdsScores({ width: 16, heads: 2 }, options)).toBe(held);
    expect(holdsScores({ width: 12, heads: 2 }, options)).toBe(true);
  });
});

describe("guidance and head on a device", () => {
  it("consume the state where they fail", async () => {
    await expect(transformer().guide(tensor("x"), 2)).rejects.toThrow("device lost");
    await expect(transformer().logits(tensor("x"), {} as TextRows)).rejects.toThrow("device lost");
    expect([...held]).toEqual([]);
  });
});

describe("room for a batch", () => {
  it("is on a device what any adapter binds", () => {
    // States of 2²⁵ numbers: 2 channels, so 2²⁴ tokens of all rows.
    expect(() => transformer().requireRoom(4, 8, 2 ** 21)).not.toThrow();
    const refused = [
      [() => transformer().requireRoom(4, 8, 2 ** 22), "4 images of 4194304 tokens at once: a state of 256 MiB"],
      [() => transformer().requireRoom(4, 8, 2 ** 22), "of which webgpu takes 128 MiB; draw at most 2 at once"],
      [() => transformer().requireRoom(1, 2, 2 ** 24), "of which webgpu takes 128 MiB; draw smaller ones"],
    ] as const;
    for (const [call, words] of refused) {
      expect(call).toThrow(OptionError);
      expect(call).toThrow(words);
    }
  });
});

describe("disposing of a transformer", () => {
  it("frees every session, whatever the others do", async () => {
    const [making, reading, head] = [giving(), giving(), giving()];
    const layer = deviceLayer(making, reading);
    const freed = [making, reading, head].map((session) => vi.spyOn(session, "dispose"));
    const committer = { ...failing, dispose: () => Promise.reject(new Error("the first")) };
    await expect(transformer({ layer, head, committer }).dispose()).rejects.toThrow("the first");
    freed.forEach((dispose) => expect(dispose).toHaveBeenCalledTimes(1));
  });
});
