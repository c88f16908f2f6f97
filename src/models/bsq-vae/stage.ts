/** One step made ready to run, and its run over all strips of a map. */
import { readFloat32 } from "../../checkpoint/read.js";
import { keepsOutputs } from "../../runtime/device.js";
import { Session, type SessionOptions, type Tensors } from "../../runtime/session.js";
import { float32, int64, values, type Tensor } from "../../runtime/tensor.js";
import type { Lookup } from "../lookup.js";
import { buildStep } from "./graph.js";
import { GroupStatistics, type Affine, type NormWeights } from "./statistics.js";
import type { Step } from "./steps.js";
import { StripMap } from "./strips.js";

/** What lies between two steps. The step that reads a map last frees it on the way. */
export interface Between {
  readonly x: StripMap;
  /** What a residual block will add. */
  readonly kept: StripMap | undefined;
  /** Of `x`, where a norm comes next. */
  readonly statistics: GroupStatistics | undefined;
  /** The most rows that a strip may have, whatever its width. */
  readonly mostRows: number;
}

/** What a step's outputs are for. */
export interface StageOptions extends SessionOptions {
  /** A norm comes next, so the output's statistics are wanted. */
  readonly measured: boolean;
  /** Nothing comes next: the output is read by the host. */
  readonly last: boolean;
}

/** A loaded step. */
export class Stage {
  private constructor(
    private readonly step: Step,
    private readonly session: Session,
    private readonly norm: NormWeights | undefined,
    private readonly measured: boolean,
  ) {}

  /** Builds and loads the step's graph. */
  static async load(step: Step, lookup: Lookup, { measured, last, ...options }: StageOptions): Promise<Stage> {
    const graph = await buildStep(step, lookup, measured);
    const norm = step.norm === undefined ? undefined : await readNorm(step.norm, lookup);
    const outputs = keepsOutputs(options.device) && !last ? mapsOnDevice(step) : "cpu";
    return new Stage(step, await Session.create(graph, { ...options, outputs }), norm, measured);
  }

  /**
   * Runs the step over all strips, freeing what is needed no longer; `checkpoint` is asked before each. On an error what
   * is left of the input stays.
   */
  async run(input: Between, checkpoint?: () => void): Promise<Between> {
    const { keep, out } = this.step;
    const x = new StripMap();
    const kept = keep === "input" ? input.x : keep && new StripMap();
    const statistics = this.measured ? new GroupStatistics(out) : undefined;
    const affine = this.norm && input.statistics?.affine(this.norm);
    try {
      for (let place = 0; place < input.x.length; place++) {
        checkpoint?.();
        const outputs = await this.session.run(this.feeds(input, place, affine));
        x.push(outputs.y!);
        if (outputs.rest) pushOrFree(x, outputs.rest);
        if (outputs.keep) kept?.push(outputs.keep);
        if (outputs.mean) statistics?.add(values(outputs.mean), values(outputs.deviation!), outputs.y!.dims[3]!);
        this.freeRead(input, place);
      }
      return { ...input, x, kept, statistics };
    } catch (error) {
      x.dispose();
      kept?.dispose();
      throw error;
    }
  }

  /** Ends the session. */
  dispose(): Promise<void> {
    return this.session.dispose();
  }

  private feeds({ x, kept, mostRows }: Between, place: number, affine: Affine | undefined): Tensors {
    const { into, adds, size } = this.step;
    const strip = x.at(place);
    const [above, below] = [place > 0, place + 1 < x.length];
    const perChannel = (data: Float32Array): Tensor => float32(data, [into, 1, 1]);
    return {
      x: strip,
      above: above ? x.at(place - 1) : strip,
      below: below ? x.at(place + 1) : strip,
      inside: float32(Float32Array.of(Number(above), Number(below)), [2]),
      ...(affine && { factor: perChannel(affine.factor), shift: perChannel(affine.shift) }),
      ...(adds && { kept: kept!.at(place) }),
      ...(size === "double" && { split: int64([firstRows(strip.dims[2]!, mostRows)], [1]) }),
    };
  }

  /** Frees the strips that no later one of this step reads: the one above, and what was added. */
  private freeRead({ x, kept }: Between, place: number): void {
    if (this.step.adds) kept?.free(place);
    if (this.step.keep === "input") return;
    x.free(place - 1);
    if (place + 1 === x.length) x.free(place);
  }
}

/** Rows of the first of the strips that one of `rows` rows becomes when it is doubled: half of them, or all if they fit. */
function firstRows(rows: number, most: number): number {
  return 2 * rows <= most ? 2 * rows : rows;
}

/** Appends a strip, unless it has no rows. */
function pushOrFree(map: StripMap, strip: Tensor): void {
  if (strip.dims[2]! > 0) map.push(strip);
  else strip.dispose();
}

/** Maps stay on the device; the statistics of their rows come to the host. */
function mapsOnDevice({ size, keep }: Step): SessionOptions["outputs"] {
  return {
    y: "gpu-buffer",
    ...(size === "double" && { rest: "gpu-buffer" }),
    ...(typeof keep === "object" && { keep: "gpu-buffer" }),
  };
}

async function readNorm(name: string, lookup: Lookup): Promise<NormWeights> {
  const [scale, bias] = [lookup(`${name}.norm.weight`), lookup(`${name}.norm.bias`)];
  return { scale: await readFloat32(scale), bias: await readFloat32(bias) };
}
