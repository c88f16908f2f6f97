/**
 * A block at work on a device that cannot loop: queries, keys and values of all tokens are made at once, then the rest is
 * done for one piece of the tokens after another, each as large as every adapter can bind. States and caches stay in device
 * memory.
 */
import { Session, type SessionOptions, type Tensors } from "../../runtime/session.js";
import { disposeAll } from "../../runtime/dispose.js";
import { discard, float32, int64, type Tensor } from "../../runtime/tensor.js";
import type { InfinityConfig } from "./config.js";
import type { LayerFeeds, LayerHalves } from "./layer.js";
import { cutTokens } from "./pieces.js";

/** A block's two sessions. */
export class DeviceLayer {
  private constructor(
    private readonly config: Pick<InfinityConfig, "width" | "heads" | "hidden">,
    /** See `holdsScores`. */
    private readonly scores: boolean,
    private readonly making: Session,
    private readonly reading: Session,
  ) {}

  /** Loads both graphs; outputs stay on the device. */
  static async load(
    config: InfinityConfig,
    { making, reading }: LayerHalves,
    scores: boolean,
    options: SessionOptions,
  ): Promise<DeviceLayer> {
    const first = await Session.create(making, options);
    try {
      return new DeviceLayer(config, scores, first, await Session.create(reading, options));
    } catch (error) {
      await first.dispose();
      throw error;
    }
  }

  /**
   * The state `y` behind the block, and what a cache takes of it: `new_k`, `new_v` and the observers' queries. The state
   * `x` [rows, tokens, C] is consumed, even by a failure; whoever calls frees the rest.
   */
  async run(x: Tensor, feeds: LayerFeeds): Promise<Tensors> {
    let made: Tensors = {};
    try {
      // All outputs are asked for even where the cache takes none: the Node binding reuses the last run's tensor, of another
      // shape, for an output that is left out.
      made = await this.making.run({ x, modulation: feeds.modulation, ...feeds.making });
      const [attending, forCache] = divide(made);
      const y = await this.read(x, attending, feeds);
      disposeEach(attending);
      return { y, ...forCache };
    } catch (error) {
      disposeEach(made);
      throw error;
    } finally {
      discard(x);
    }
  }

  /** Bytes of the weights in memory. */
  get weightBytes(): number {
    return this.making.weightBytes + this.reading.weightBytes;
  }

  /** Ends both sessions. */
  async dispose(): Promise<void> {
    await disposeAll([this.making, this.reading]);
  }

  /** Piece after piece, each behind what was done before it. */
  private async read(x: Tensor, attending: Tensors, { modulation, reading }: LayerFeeds): Promise<Tensor> {
    const [rows = 0, tokens = 0] = x.dims;
    let done = float32(new Float32Array(0), [rows, 0, this.config.width]);
    let first = 0;
    for (const last of cutTokens(tokens, rows * this.valuesOfToken(attending, reading.text_k.dims[1]!))) {
      const feeds = { x, modulation, ...attending, ...reading, piece: int64([first, last], [2]), done };
      try {
        const { y } = await this.reading.run(feeds);
        first = last;
        done.dispose();
        done = y!;
      } catch (error) {
        done.dispose();
        throw error;
      }
    }
    return done;
  }

  /** Numbers of the largest value that one token of one row has on its way: scores of what it reads, or the MLP's hidden layer. */
  private valuesOfToken(attending: Tensors, text: number): number {
    const { heads, hidden } = this.config;
    const keys = Object.entries(attending).filter(([name]) => name.startsWith("keys."));
    const known = Math.max(...keys.map(([, { dims }]) => dims[1]!));
    return Math.max(hidden, heads * text, this.scores ? (heads / keys.length) * known : 0);
  }
}

/** What attention takes of the first half's outputs, and what the cache does. */
function divide(made: Tensors): [attending: Tensors, forCache: Tensors] {
  const [attending, forCache]: [Record<string, Tensor>, Record<string, Tensor>] = [{}, {}];
  for (const [name, tensor] of Object.entries(made))
    (/^(new|observed)_/.test(name) ? forCache : attending)[name] = tensor;
  return [attending, forCache];
}

function disposeEach(tensors: Tensors): void {
  Object.values(tensors).forEach((tensor) => tensor.dispose());
}
