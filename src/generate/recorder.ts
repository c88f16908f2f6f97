/** Keeps the time and the memory of a call, stage by stage, as it goes along. */
import type { Clock } from "../runtime/clock.js";
import { processMemoryIfTold } from "../runtime/memory.js";
import type { ScaleSize, StageReport } from "./types.js";

/** Marks the end of stages; each lasts from the mark before it. */
export class Recorder {
  readonly stages: StageReport[] = [];
  private readonly begun = performance.now();
  private last = this.begun;
  /** Seconds of the current stage by part. */
  private parts: Record<string, number> = {};
  /** Milliseconds of the parts inside the one at work. */
  private inner = 0;

  /** A stage is over; `cacheBytes` is what the KV cache holds now. */
  async mark(name: string, cacheBytes: number, map?: ScaleSize): Promise<void> {
    const seconds = (performance.now() - this.last) / 1000;
    const memory = await processMemoryIfTold();
    this.stages.push({ name, map, seconds, parts: this.parts, cacheBytes, residentBytes: memory?.resident });
    this.parts = {};
    this.last = performance.now();
  }

  /** Takes the time of a part of the current stage; parts do not overlap, but may lie within one another. */
  readonly time: Clock = async (part, work) => {
    const [begun, before] = [performance.now(), this.inner];
    this.inner = 0;
    try {
      return await work();
    } finally {
      const all = performance.now() - begun;
      this.parts[part] = (this.parts[part] ?? 0) + (all - this.inner) / 1000;
      this.inner = before + all;
    }
  };

  /** Seconds since the recorder was made. */
  get seconds(): number {
    return (performance.now() - this.begun) / 1000;
  }
}
