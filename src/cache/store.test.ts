import { describe, expect, it, vi } from "vitest";
import { float32, values, type Tensor } from "../runtime/tensor.js";
import { cacheBytes, DeviceStore, HostStore, type CacheStore, type KeysAndValues } from "./store.js";

const SHAPE = { layers: 3, rows: 2, width: 4, capacity: 10 };
/** Bytes of one token's key and value in one layer. */
const TOKEN = SHAPE.rows * SHAPE.width * 2 * 4;

describe("cacheBytes", () => {
  it("counts keys and values of every layer, row and channel as float32", () => {
    expect(cacheBytes(SHAPE, 7)).toBe(3 * 7 * 2 * 4 * 2 * 4);
    // Infinity 2B, batch 8 with guidance, full cache: 6 bytes a channel make 38,550 MiB in the paper, here they are 8.
    const published = cacheBytes({ layers: 32, rows: 16, width: 2048 }, 6425);
    expect((published * 6) / 8 / 2 ** 20).toBe(38_550);
  });
});

describe("HostStore", () => {
  /** Writes `tokens` tokens, all of one value, as a graph would. */
  function append(store: HostStore, layer: number, tokens: number, value: number): void {
    const { k, v } = store.targets(layer, tokens);
    values(k).fill(value);
    values(v).fill(-value);
    store.accept(layer, tokens);
  }

  it("begins with no tokens", () => {
    const store = new HostStore(SHAPE);
    expect(store.output).toBe("new");
    expect(store.past(0).k.dims).toEqual([0, 2, 4]);
    expect([store.bytes, store.peakBytes]).toEqual([0, 0]);
  });

  it("appends each layer's tokens in their order and counts their bytes", () => {
    const store = new HostStore(SHAPE);
    append(store, 0, 1, 5);
    append(store, 0, 3, 7);
    append(store, 2, 4, 9);
    expect(store.past(0).k.dims).toEqual([4, 2, 4]);
    expect([...values(store.past(0).k)]).toEqual([...new Array<number>(8).fill(5), ...new Array<number>(24).fill(7)]);
    expect([...values(store.past(0).v)]).toEqual([...new Array<number>(8).fill(-5), ...new Array<number>(24).fill(-7)]);
    expect(store.past(1).v.dims).toEqual([0, 2, 4]);
    expect([...values(store.past(2).v)]).toEqual(new Array<number>(32).fill(-9));
    expect([store.bytes, store.peakBytes]).toEqual([8 * TOKEN, 8 * TOKEN]);
  });

  it("lends views of one storage: past and targets lie side by side in it and nothing is copied", () => {
    const store = new HostStore(SHAPE);
    append(store, 1, 2, 3);
    const { buffer } = values(store.past(1).k);
    const { k, v } = store.targets(1, 4);
    expect(values(k).buffer).toBe(buffer);
    expect(buffer.byteLength).toBe((SHAPE.capacity * TOKEN) / 2);
    expect(values(k).byteOffset).toBe(values(store.past(1).k).byteLength);
    expect(values(v).buffer).not.toBe(buffer);
    expect(values(store.past(0).k).buffer).not.toBe(buffer);
  });

  it("does not hold what was only written and never accepted", () => {
    const store = new HostStore(SHAPE);
    values(store.targets(0, 4).k).fill(1);
    expect(store.past(0).k.dims).toEqual([0, 2, 4]);
    expect(store.bytes).toBe(0);
  });

  it("takes exactly its capacity and refuses one token more", () => {
    const store = new HostStore(SHAPE);
    append(store, 2, 4, 1);
    append(store, 2, 6, 1);
    expect(() => store.targets(2, 1)).toThrow(new RangeError("layer 2: 10 + 1 tokens exceed the cache's 10"));
    expect(store.bytes).toBe(10 * TOKEN);
  });

  it("holds nothing once it is disposed, and still knows its peak", () => {
    const store = new HostStore(SHAPE);
    append(store, 0, 3, 1);
    store.dispose();
    expect([store.bytes, store.peakBytes]).toEqual([0, 3 * TOKEN]);
    expect(() => store.past(0)).toThrow();
  });
});

describe("DeviceStore", () => {
  /** A cache of `tokens` tokens whose tensors tell when they are disposed of. */
  function written(tokens: number): KeysAndValues & { disposed: () => number[] } {
    const tensor = (): Tensor => float32(new Float32Array(tokens * 8), [tokens, 2, 4]);
    const [k, v] = [tensor(), tensor()];
    const spies = [k, v].map((one) => vi.spyOn(one, "dispose"));
    return { k, v, disposed: () => spies.map(({ mock }) => mock.calls.length) };
  }

  it("begins with no tokens and lets the graph allocate", () => {
    const store = new DeviceStore(SHAPE);
    expect(store.output).toBe("all");
    expect([store.past(2).k.dims, store.past(2).v.dims]).toEqual([
      [0, 2, 4],
      [0, 2, 4],
    ]);
    const lent: CacheStore = store;
    expect(lent.targets(0, 1)).toBeUndefined();
  });

  it("replaces a layer's cache by the graph's, frees the old one once and counts the difference", () => {
    const store = new DeviceStore(SHAPE);
    const [first, second, other] = [written(1), written(5), written(2)];
    store.accept(0, 1, first);
    store.accept(1, 2, other);
    expect(store.bytes).toBe(3 * TOKEN);
    store.accept(0, 4, second);
    expect(store.past(0)).toBe(second);
    expect(store.bytes).toBe(7 * TOKEN);
    expect(store.peakBytes).toBe(7 * TOKEN);
    expect([first.disposed(), second.disposed(), other.disposed()]).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
    ]);
  });

  it("frees every layer once when it is disposed", () => {
    const store = new DeviceStore(SHAPE);
    const held = [written(3), written(2)];
    held.forEach((cache, layer) => {
      store.accept(layer, cache.k.dims[0]!, cache);
    });
    store.dispose();
    store.dispose();
    expect(held.map(({ disposed }) => disposed())).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect([store.bytes, store.peakBytes]).toEqual([0, 5 * TOKEN]);
  });
});
