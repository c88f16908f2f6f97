/**
 * A cache whose heads keep different numbers of tokens. To the cache inside every head is a slot of its own, with one
 * head; here the heads of a layer are put together and taken apart. A head's tensors have its number in their names:
 * `past_k.3`, `new_v.0`.
 */
import type { Tensors } from "../runtime/session.js";
import type { Tensor } from "../runtime/tensor.js";
import type { CachePeak, KeptPositions, KvCache } from "./kv-cache.js";
import { headName } from "./storage.js";

/** Layers over a cache of heads, which is disposed of with it; see the file's head. */
export class HeadwiseCache implements KvCache {
  constructor(
    private readonly slots: KvCache,
    private readonly heads: number,
  ) {}

  get scales(): number {
    return this.slots.scales;
  }

  feeds(layer: number, scale: number): Tensors {
    // All heads of a layer have the same observers.
    const { observers } = this.slots.feeds(layer * this.heads, scale);
    const past = this.eachHead((head) => {
      const feeds = Object.entries(this.slots.feeds(layer * this.heads + head, scale));
      return Object.fromEntries(feeds.filter(([name]) => name !== "observers"));
    });
    return { ...past, observers: observers! };
  }

  outputs(layer: number, scale: number): Readonly<Record<string, Tensor | null>> | undefined {
    const ofHead = (head: number): Readonly<Record<string, Tensor | null>> | undefined =>
      this.slots.outputs(layer * this.heads + head, scale);
    // A cache that lets the device allocate does so for every head.
    return ofHead(0) && this.eachHead((head) => ofHead(head) ?? {});
  }

  async commit(layer: number, scale: number, outputs: Tensors): Promise<KeptPositions | undefined> {
    const kept: (KeptPositions | undefined)[] = [];
    for (let head = 0; head < this.heads; head++) {
      kept.push(await this.slots.commit(layer * this.heads + head, scale, ofHead(outputs, head)));
    }
    const rows = kept.find((lanes) => lanes)?.length;
    if (rows === undefined) return undefined;
    return Array.from(
      { length: rows * this.heads },
      (_, lane) => kept[lane % this.heads]?.[Math.floor(lane / this.heads)],
    );
  }

  get bytes(): number {
    return this.slots.bytes;
  }

  get peak(): CachePeak {
    return this.slots.peak;
  }

  dispose(): void {
    this.slots.dispose();
  }

  private eachHead<T>(tensors: (head: number) => Readonly<Record<string, T>>): Record<string, T> {
    const heads = Array.from({ length: this.heads }, (_, head) => head);
    return Object.fromEntries(
      heads.flatMap((head) => Object.entries(tensors(head)).map(([name, tensor]) => [headName(name, head), tensor])),
    );
  }
}

/** A head's tensors, under their bare names. */
function ofHead(tensors: Tensors, head: number): Tensors {
  const suffix = headName("", head);
  return Object.fromEntries(
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.endsWith(suffix) ? [[name.slice(0, -suffix.length), tensor]] : [],
    ),
  );
}
