/** Keeps the time and the memory of a call, stage by stage, as it goes along. */
import { processMemoryIfTold } from "../runtime/memory.js";
import type { ScaleSize, StageReport } from "./types.js";

/** Marks the end of stages; each lasts from the mark before it. */
export class Recorder {
  readonly stages: StageReport[] = [];
  private readonly begun = performance.now();
  private last = this.begun;

  /** A stage is over; `cacheBytes` is what the KV cache holds now. */
  async mark(name: string, cacheBytes: number, map?: ScaleSize): Promise<void> {
    const now = performance.now();
    const memory = await processMemoryIfTold();
    this.stages.push({ name, map, seconds: (now - this.last) / 1000, cacheBytes, residentBytes: memory?.resident });
    this.last = performance.now();
  }

  /** Seconds since the recorder was made. */
  get seconds(): number {
    return (performance.now() - this.begun) / 1000;
  }
}
