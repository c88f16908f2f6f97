/** A block at work on a processor: one graph, which works in pieces of its own, and writes where it is told. */
import type { Session, Tensors } from "../../runtime/session.js";
import { discardArrays, float32, values, type Tensor } from "../../runtime/tensor.js";
import type { InfinityConfig } from "./config.js";
import type { LayerFeeds } from "./layer.js";
import { cutPieces, pieceAxes, pieceFeeds } from "./pieces.js";

/** A state that was consumed, and that nobody reads or writes: another of its size may come about in its memory. */
export class StateMemory {
  private spare: Float32Array = new Float32Array(0);

  /** Memory for a state. The spare is taken before anything is waited for, as another draw may be under way. */
  take(size: number): Float32Array {
    const { spare } = this;
    this.spare = new Float32Array(0);
    return spare.length === size ? spare : new Float32Array(size);
  }

  /** A state's memory, which nobody needs any more. */
  keep(state: Float32Array): void {
    this.spare = state;
  }

  /** Gives back what is kept. */
  clear(): void {
    discardArrays([this.spare]);
    this.spare = new Float32Array(0);
  }
}

/** A block's session. */
export class HostLayer {
  constructor(
    private readonly config: Pick<InfinityConfig, "width" | "hidden">,
    private readonly session: Session,
    private readonly memory: StateMemory,
  ) {}

  /** The state `y` behind the block, and the outputs that `into` has places for. The state `x` [rows, tokens, C] is consumed. */
  async run(
    x: Tensor,
    { modulation, making, reading }: LayerFeeds,
    into: Readonly<Record<string, Tensor | null>> = {},
  ): Promise<Tensors> {
    const [rows = 0, tokens = 0] = x.dims;
    const pieces = cutPieces(rows, tokens, this.config.hidden);
    const y = this.memory.take(x.size);
    const places = { y: float32(y, [...pieceAxes(pieces), this.config.width]), ...into };
    const feeds = { x, modulation, ...making, ...reading, ...pieceFeeds(pieces) };
    const outputs = await this.session.run(feeds, places);
    this.memory.keep(values(x));
    return { ...outputs, y: float32(y, x.dims) };
  }

  /** Bytes of the weights in memory. */
  get weightBytes(): number {
    return this.session.weightBytes;
  }

  /** Ends the session. */
  dispose(): Promise<void> {
    return this.session.dispose();
  }
}
