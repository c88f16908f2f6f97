/** Progress on a terminal: one line that is written over and over, and nothing where nobody looks. */
import type { DrawProgress, LoadProgress } from "../generate/types.js";
import type { SampleProgress } from "../sampling/sample.js";

/** Whatever a model tells while it loads and draws. */
export type StageProgress = LoadProgress | DrawProgress;

/** The part of `process.stderr` that a status line needs. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Back to the line's start and clear it (ECMA-48 "erase in line"). */
const CLEAR = "\r\u001b[K";
const BAR_CELLS = 20;
/** Milliseconds between two writes: more often than this nobody can read. */
const INTERVAL = 50;

/** A line at the terminal's lower edge. Where the stream is not a terminal it stays silent. */
export class StatusLine {
  private shown = false;
  private last = -Infinity;

  constructor(
    private readonly terminal: Terminal,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Shows how far something is (`fraction` 0 to 1). The end of it is always shown, what lies between only at times. */
  update(fraction: number, text: string): void {
    if (this.terminal.isTTY !== true) return;
    const time = this.now();
    if (fraction < 1 && time - this.last < INTERVAL) return;
    this.last = time;
    this.shown = true;
    const filled = Math.round(Math.min(Math.max(fraction, 0), 1) * BAR_CELLS);
    const line = `${"━".repeat(filled)}${"─".repeat(BAR_CELLS - filled)}  ${text}`;
    this.terminal.write(CLEAR + line.slice(0, this.width() - 1));
  }

  /** Removes the line, so that something else can be printed. */
  clear(): void {
    if (this.shown) this.terminal.write(CLEAR);
    this.shown = false;
  }

  /** Columns; a terminal that does not know them says 0. */
  private width(): number {
    const { columns = 0 } = this.terminal;
    return columns > 0 ? columns : 80;
  }
}

/** How far the current stage is, and what it is called. */
export function describeProgress(event: StageProgress): readonly [fraction: number, text: string] {
  switch (event.stage) {
    case "load":
      return [event.done / event.total, `loading the ${event.part}: ${event.done} of ${event.total}`];
    case "text":
      return [event.layer / event.layers, `reading the prompt: layer ${event.layer} of ${event.layers}`];
    case "scale": {
      const { scale, scales, map, layer, layers } = event;
      const done = (scale - 1 + layer / layers) / scales;
      return [done, `scale ${scale} of ${scales} (${map.width}x${map.height}): layer ${layer} of ${layers}`];
    }
    case "vae":
      return [event.image / event.images, `decoding: image ${event.image} of ${event.images}`];
  }
}

/** Pictures of a run: how many of all there are, how fast they come, and how long the rest will take. */
export function describeSampling(event: SampleProgress): readonly [fraction: number, text: string] {
  const { done, total } = event;
  if (event.stage === "check") return [done / total, `checking: picture ${done} of ${total}`];
  const { drawn, seconds } = event;
  const left = duration((seconds / drawn) * (total - done));
  return [done / total, `picture ${done} of ${total}, ${(drawn / seconds).toPrecision(2)}/s, ${left} left`];
}

/** Seconds in the two largest units: `42 s`, `3 min 20 s`, `5 h 12 min`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}
