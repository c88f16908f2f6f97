/** What a generation took, beside what it had to do: the report's stages, ONNX Runtime's operators and the counts, joined. */
import type { RunReport, ScaleSize, StageReport } from "../generate/types.js";
import { LAYER_PARTS } from "../models/infinity/layer.js";
import type { StageWork } from "./count.js";
import type { GraphRuns, OperatorTime } from "./operators.js";
import { floorSeconds, operationsOf, type Ceilings } from "./work.js";

/** A part's name, its time, and the least that it could take. */
export interface PartProfile {
  readonly name: string;
  readonly seconds: number;
  /** Of matrix products. */
  readonly operations: number;
  /** Read and written at least once. */
  readonly bytes: number;
  readonly floorSeconds: number;
}

/** One stage, and what it consists of. The parts fill its time. */
export interface StageProfile {
  readonly name: string;
  readonly map?: ScaleSize | undefined;
  readonly seconds: number;
  readonly parts: readonly PartProfile[];
}

/** One kind of operator in one part of the generation. */
export interface OperatorProfile {
  readonly part: string;
  /** ONNX's name. */
  readonly operator: string;
  readonly seconds: number;
  readonly count: number;
}

/** Products with the matrices of the layers' projections and MLPs. */
export interface DenseProfile {
  /** Of the operators that multiply, without what is done to their results. */
  readonly seconds: number;
  readonly operations: number;
  readonly floorSeconds: number;
}

/** A whole generation. */
export interface GenerationProfile {
  readonly stages: readonly StageProfile[];
  /** The same parts over all stages. */
  readonly parts: readonly PartProfile[];
  readonly total: PartProfile;
  readonly dense: DenseProfile;
  /** The slowest first. */
  readonly operators: readonly OperatorProfile[];
}

/** Of a layer what has no name of its own: norms, modulation, rotation. */
const UNNAMED = "norms";
/** What no operator takes: loading, copies of what graphs give out, this program. */
const REST = "rest";

/** Parts of a layer that have no arithmetic but products with their matrices, and the operators that do those. */
const DENSE: readonly string[] = ["projections", "mlp"];
const PRODUCTS: readonly string[] = ["FusedMatMul", "MatMulNBits", "MatMulIntegerToFloat"];

/** The order of parts over all stages. */
const ORDER: readonly string[] = [
  ...["text encoder", "conditioning", "embedding", ...LAYER_PARTS, UNNAMED, "guidance", "cache"],
  ...["head", "sampling", "codes", "vae", REST],
];

/** Graphs that do not belong to a layer, by the beginning of their names; the cache's have several. */
const GRAPHS: readonly (readonly [prefix: string, part: string])[] = [
  ["T5-layer", "text encoder"],
  ["VAE-", "vae"],
  ["conditioning", "conditioning"],
  ["embedding", "embedding"],
  ["guidance", "guidance"],
  ["head", "head"],
];
const LAYER = /^layer-\d+$/;

/** Joins what one call told. `work` must be the same call's. */
export function profileOf(
  { stages }: Pick<RunReport, "stages">,
  graphs: readonly GraphRuns[],
  work: readonly StageWork[],
  ceilings: Ceilings,
): GenerationProfile {
  const scales = stages.filter(({ map }) => map !== undefined).map(({ name }) => name);
  const layers = layerSeconds(graphs, scales);
  const profiled = stages.map((stage): StageProfile => {
    const seconds = partSeconds(stage, graphs, layers.get(stage.name));
    const counted = work.find(({ name }) => name === stage.name)?.parts ?? {};
    const parts = [...seconds].map(([name, taken]) => partProfile(name, taken, counted[name], ceilings));
    return { name: stage.name, map: stage.map, seconds: stage.seconds, parts };
  });
  const parts = addUp(profiled.flatMap((stage) => stage.parts));
  const operators = operatorsOf(graphs);
  const total = addUpTo("total", parts);
  return { stages: profiled, parts, total, dense: denseOf(parts, operators), operators };
}

function denseOf(parts: readonly PartProfile[], operators: readonly OperatorProfile[]): DenseProfile {
  const { operations, floorSeconds } = addUpTo(
    "dense",
    parts.filter(({ name }) => DENSE.includes(name)),
  );
  const multiplying = operators.filter(({ part, operator }) => DENSE.includes(part) && PRODUCTS.includes(operator));
  return { seconds: multiplying.reduce((sum, { seconds }) => sum + seconds, 0), operations, floorSeconds };
}

type Counted = StageWork["parts"][string] | undefined;

function partProfile(name: string, seconds: number, work: Counted, ceilings: Ceilings): PartProfile {
  if (!work) return { name, seconds, operations: 0, bytes: 0, floorSeconds: 0 };
  const floor = floorSeconds(work, ceilings);
  return { name, seconds, operations: operationsOf(work), bytes: work.bytes, floorSeconds: floor };
}

/** Of every scale, the seconds of the layers' operators by part. */
function layerSeconds(graphs: readonly GraphRuns[], scales: readonly string[]): Map<string, Map<string, number>> {
  const found = new Map(scales.map((name) => [name, new Map<string, number>()]));
  for (const { graph, runs } of graphs.filter((one) => LAYER.test(one.graph))) {
    if (runs.length !== scales.length) throw new Error(`${graph}: ${runs.length} runs for ${scales.length} scales`);
    for (const [i, operators] of runs.entries()) {
      const sums = found.get(scales[i]!)!;
      for (const operator of operators) add(sums, layerPart(operator), operator.seconds);
    }
  }
  return found;
}

function layerPart({ part }: OperatorTime): string {
  return LAYER_PARTS.find((name) => name === part) ?? UNNAMED;
}

/** A stage's seconds by part; what is left over is {@link REST}. */
function partSeconds(
  stage: StageReport,
  graphs: readonly GraphRuns[],
  layers: ReadonlyMap<string, number> | undefined,
): Map<string, number> {
  const seconds = new Map<string, number>();
  if (stage.name === "text") seconds.set("text encoder", graphSeconds(graphs, "T5-layer"));
  if (stage.name === "vae") seconds.set("vae", graphSeconds(graphs, "VAE-"));
  for (const [part, taken] of Object.entries(stage.parts ?? {})) {
    if (part !== "layers" || !layers) seconds.set(part, taken);
    else for (const name of [...LAYER_PARTS, UNNAMED]) seconds.set(name, layers.get(name) ?? 0);
  }
  const known = [...seconds.values()].reduce((sum, taken) => sum + taken, 0);
  return seconds.set(REST, Math.max(0, stage.seconds - known));
}

function graphSeconds(graphs: readonly GraphRuns[], prefix: string): number {
  const runs = graphs.filter(({ graph }) => graph.startsWith(prefix)).flatMap((one) => one.runs);
  return runs.flat().reduce((sum, { seconds }) => sum + seconds, 0);
}

function add(sums: Map<string, number>, name: string, seconds: number): void {
  sums.set(name, (sums.get(name) ?? 0) + seconds);
}

/** Parts of the same name as one, in the order in which a scale needs them. */
function addUp(parts: readonly PartProfile[]): PartProfile[] {
  const known = [...ORDER, ...parts.map(({ name }) => name).filter((name) => !ORDER.includes(name))];
  return [...new Set(known)].flatMap((name) => {
    const same = parts.filter((part) => part.name === name);
    return same.length > 0 ? addUpTo(name, same) : [];
  });
}

function addUpTo(name: string, parts: readonly PartProfile[]): PartProfile {
  const sum = (value: (part: PartProfile) => number): number => parts.reduce((all, part) => all + value(part), 0);
  return {
    name,
    seconds: sum((part) => part.seconds),
    operations: sum((part) => part.operations),
    bytes: sum((part) => part.bytes),
    floorSeconds: sum((part) => part.floorSeconds),
  };
}

function operatorsOf(graphs: readonly GraphRuns[]): OperatorProfile[] {
  const sums = new Map<string, OperatorProfile>();
  for (const { graph, runs } of graphs) {
    const known = GRAPHS.find(([prefix]) => graph.startsWith(prefix))?.[1] ?? "cache";
    for (const time of runs.flat()) {
      const part = LAYER.test(graph) ? layerPart(time) : known;
      const key = `${part}/${time.operator}`;
      const { seconds = 0, count = 0 } = sums.get(key) ?? {};
      sums.set(key, { part, operator: time.operator, seconds: seconds + time.seconds, count: count + 1 });
    }
  }
  return [...sums.values()].sort((a, b) => b.seconds - a.seconds);
}
