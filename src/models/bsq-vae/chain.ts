/**
 * Decoder or encoder at work: one step after the other, each over all strips of the map. Between two steps lies a whole
 * map, within a residual block a second one; at 1024² that makes twice 512 MiB, the least that can be held where nothing
 * is computed twice. Everything else is as large as a strip.
 */
import { keepsOutputs } from "../../runtime/device.js";
import { disposeAll, type Owner } from "../../runtime/dispose.js";
import type { SessionOptions } from "../../runtime/session.js";
import { values } from "../../runtime/tensor.js";
import { cutEvenly } from "../cut-evenly.js";
import type { Lookup } from "../lookup.js";
import type { FeatureMap } from "./feature-map.js";
import { Stage, type Between } from "./stage.js";
import { widestRow, type Step } from "./steps.js";
import { rowsOf, StripMap } from "./strips.js";

/** Bytes of a strip of the largest map: `enough`, or more, up to `most`, until it has {@link ENOUGH_ROWS}. */
export interface StripBytes {
  readonly enough: number;
  readonly most: number;
}

/**
 * On the host small strips stay in the processor's caches and fit the gaps that loading left in the heap; but each also reads
 * the rows above and below it, which costs much where it has few. On a GPU every run has its price, while a binding may have
 * 128 MiB on any adapter: a doubled strip has twice as many bytes before it is cut.
 */
export const STRIP_BYTES = { host: { enough: 2 ** 21, most: 2 ** 23 }, device: { enough: 2 ** 25, most: 2 ** 25 } };
const ENOUGH_ROWS = 16;

/** Rows of `rowBytes` each that a strip may have: none where a single one is too large. */
export function rowsOfStrip(rowBytes: number, { enough, most }: StripBytes): number {
  const fitting = (bytes: number): number => Math.floor(bytes / rowBytes);
  return Math.max(fitting(enough), Math.min(ENOUGH_ROWS, fitting(most)));
}

/** How the autoencoder is loaded. */
export interface ChainOptions extends SessionOptions {
  /**
   * Bytes that a strip of the largest map may have; a decoder's has at least one row, an encoder's at least `stride`.
   * Default: 2 to 8 MiB on the host, 32 MiB in device memory.
   */
  readonly stripBytes?: number | undefined;
}

/** Steps on a device, each loaded when it is first reached. Whoever makes one calls `dispose`. */
export class Chain {
  private readonly stages: Lazy<Stage>[];
  private readonly stripBytes: StripBytes;

  /**
   * `lookup` finds tensors by the names in the steps; nothing is read yet. Cuts lie at multiples of `grain` rows of the
   * input, so that it can be halved in strips.
   */
  constructor(
    private readonly steps: readonly Step[],
    lookup: Lookup,
    private readonly grain: number,
    { stripBytes, ...options }: ChainOptions,
  ) {
    const usual = keepsOutputs(options.device) ? STRIP_BYTES.device : STRIP_BYTES.host;
    this.stripBytes = stripBytes === undefined ? usual : { enough: stripBytes, most: stripBytes };
    this.stages = steps.map((step, i) => {
      const next = steps[i + 1];
      const stage = { ...options, measured: next?.norm !== undefined, last: next === undefined };
      return new Lazy(() => Stage.load(step, lookup, stage));
    });
  }

  /**
   * Runs all steps on a map of one item and hands the result over, strip by strip, from the top. `checkpoint` is asked
   * before every strip of every step, and ends the run by throwing.
   */
  async run(map: FeatureMap, take: (strip: Float32Array) => void, checkpoint?: () => void): Promise<void> {
    const rowBytes = widestRow(this.steps) * map.width * Float32Array.BYTES_PER_ELEMENT;
    const mostRows = rowsOfStrip(rowBytes, this.stripBytes);
    let state: Between = { x: this.cut(map, mostRows), mostRows, kept: undefined, statistics: undefined };
    try {
      for (const stage of this.stages) state = await (await stage.get()).run(state, checkpoint);
      for (let place = 0; place < state.x.length; place++) take(values(state.x.at(place)));
    } finally {
      state.x.dispose();
      state.kept?.dispose();
    }
  }

  /** Frees whatever was loaded. */
  async dispose(): Promise<void> {
    await disposeAll(this.stages);
  }

  private cut(map: FeatureMap, mostRows: number): StripMap {
    const strips = new StripMap();
    let top = 0;
    for (const end of cutEvenly(map.height / this.grain, Math.max(1, Math.floor(mostRows / this.grain)))) {
      strips.push(rowsOf(map, top, end * this.grain));
      top = end * this.grain;
    }
    return strips;
  }
}

/** Something that is loaded when first asked for. A failed load is forgotten, so that asking again tries again. */
class Lazy<T extends Owner> {
  private loading: Promise<T> | undefined;

  constructor(private readonly load: () => Promise<T>) {}

  async get(): Promise<T> {
    this.loading ??= this.load();
    try {
      return await this.loading;
    } catch (error) {
      this.loading = undefined;
      throw error;
    }
  }

  async dispose(): Promise<void> {
    const loaded = await this.loading;
    this.loading = undefined;
    await loaded?.dispose();
  }
}
