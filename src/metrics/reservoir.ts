/** Some of the vectors that pass by, each as likely as any other (Vitter's algorithm R, 1985). */
import { chosen } from "./chance.js";

/** The stream of the choices; every reservoir makes the same, so two of them keep vectors of the same places. */
const STREAM = 1;

/** Vectors of one length, all of them up to `capacity` and that many from then on. */
export class Reservoir {
  private memory = new Float32Array(0);
  private seen = 0;

  constructor(
    readonly size: number,
    readonly capacity: number,
  ) {}

  /** Vectors that are kept. */
  get count(): number {
    return Math.min(this.seen, this.capacity);
  }

  /** What is kept, [count, size]: a view. */
  get rows(): Float32Array {
    return this.memory.subarray(0, this.count * this.size);
  }

  /** Takes a copy of a vector, or not. */
  add(vector: Float32Array): void {
    const { size, capacity } = this;
    if (vector.length !== size) throw new RangeError(`a vector of ${vector.length}, expected ${size}`);
    const place = this.seen < capacity ? this.seen : chosen(STREAM, this.seen, this.seen + 1);
    this.seen++;
    if (place >= capacity) return;
    this.reserve(this.count);
    this.memory.set(vector, place * size);
  }

  /** Doubles the memory when it is full. */
  private reserve(rows: number): void {
    const { size, capacity, memory } = this;
    if (rows * size <= memory.length) return;
    this.memory = new Float32Array(Math.min(capacity, 2 * rows) * size);
    this.memory.set(memory);
  }
}
