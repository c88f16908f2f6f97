/**
 * A budget in full: who keeps how much after which scale, what for, and how it was found. This is the content of a
 * budget file; `budget-file.ts` reads and writes it on disk.
 */
import { z } from "zod";
import { BudgetError } from "../errors.js";
import type { Capacities } from "./allocate.js";
import { historyAfter, type MapSize } from "./maps.js";
import type { EvictionOrder, SegmentMass } from "./segments.js";
import type { Roles, Scores } from "./selectivity.js";

const integer = (least: number, most: number) => z.int().min(least).max(most);

/** Limits far above every published model, so that a damaged file asks for nothing absurd. */
const LAYERS = 1024;
const SCALES = 64;
const TOKENS = 2 ** 24;

const side = integer(1, 4096);
const perScale = <T extends z.ZodType>(value: T) => z.array(value).min(2).max(SCALES);
const perLayer = <T extends z.ZodType>(value: T) => z.array(value).min(1).max(LAYERS);
const scores = perLayer(perScale(z.number().nullable()));

const SCHEMA = z.strictObject({
  version: z.literal(1),
  model: z.strictObject({ depth: integer(1, LAYERS), heads: integer(1, LAYERS), width: integer(1, 2 ** 20) }),
  schedule: z.strictObject({
    ratio: z.number().positive(),
    pixels: z.string().min(1),
    maps: perScale(z.strictObject({ height: side, width: side })),
  }),
  window: integer(1, TOKENS),
  base: integer(1, TOKENS),
  roles: perLayer(perScale(z.enum(["drafter", "refiner"]).nullable())),
  capacities: z.array(perLayer(integer(1, TOKENS))).min(1),
  statistics: z.strictObject({ asi: scores, z: scores }).optional(),
  segments: z
    .strictObject({
      mass: perLayer(z.array(z.array(z.number().nonnegative()))),
      sinks: integer(0, SCALES),
      order: z.array(z.array(z.int().nonnegative())),
      variance: perLayer(z.array(z.number().nonnegative())).optional(),
    })
    .optional(),
  made: z.strictObject({
    by: z.string().min(1),
    prompts: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "not a SHA-256 in hexadecimal")
      .nullable(),
    seed: integer(0, 2 ** 32 - 1).nullable(),
  }),
});

/** Sizes of the transformer a budget is for. */
export interface BudgetModel {
  readonly depth: number;
  readonly heads: number;
  readonly width: number;
}

/** How the heads look back; see `segments.ts`. */
export interface HeadStatistics {
  /** [layer][head][source scale 0 … K − 2]. */
  readonly mass: SegmentMass;
  /** Scales that no order names. */
  readonly sinks: number;
  /** [source scale from the sinks][slot]. */
  readonly order: EvictionOrder;
  /** [layer][head]: how attention varies from query to query at the last scale. */
  readonly variance?: readonly (readonly number[])[] | undefined;
}

/** What a budget file states. Scales, layers and heads count from 0; K is the number of maps. */
export interface Budget {
  readonly version: 1;
  readonly model: BudgetModel;
  /** Ratio height / width and size class as published, and the K maps in tokens. */
  readonly schedule: { readonly ratio: number; readonly pixels: string; readonly maps: readonly MapSize[] };
  /** Tokens of the observation window. */
  readonly window: number;
  /** Tokens a layer on average; nothing is evicted until the history exceeds it. */
  readonly base: number;
  /** How a layer reads the history at a scale, [layer][scale 0 … K − 1]. */
  readonly roles: Roles;
  /** Tokens a layer keeps after a scale, [scale 0 … K − 2][layer]. */
  readonly capacities: Capacities;
  /** What the roles were decided by, [layer][scale 0 … K − 1]. */
  readonly statistics?: { readonly asi: Scores; readonly z: Scores } | undefined;
  /** For policies that treat heads apart; see {@link HeadStatistics}. */
  readonly segments?: HeadStatistics | undefined;
  /** How it was made: by which command or table, the prompts' SHA-256, the seed. */
  readonly made: { readonly by: string; readonly prompts: string | null; readonly seed: number | null };
}

/**
 * Reads a budget file's text and checks that it is whole: shapes that agree with its own model and schedule, capacities
 * between the window and the history.
 *
 * @param file its name, for the message
 * @throws BudgetError with the first thing that is wrong
 */
export function parseBudget(text: string, file: string): Budget {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new BudgetError(`${file}: is not JSON`);
  }
  return checkBudget(json, file);
}

/** Checks an object as {@link parseBudget} does a text; fields come back in the order of the schema. */
export function checkBudget(json: unknown, file: string): Budget {
  const parsed = SCHEMA.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new BudgetError(`${file}: not a budget: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "invalid"}`);
  }
  const problem = shapeProblem(parsed.data) ?? capacityProblem(parsed.data) ?? orderProblem(parsed.data);
  if (problem !== undefined) throw new BudgetError(`${file}: ${problem}`);
  return parsed.data;
}

/** A table whose rows and columns are not those of the model's layers and heads and the schedule's scales. */
function shapeProblem({ model, schedule, roles, capacities, statistics, segments }: Budget): string | undefined {
  const { depth, heads } = model;
  const scales = schedule.maps.length;
  const evicted = Math.max(scales - 1 - (segments?.sinks ?? 0), 0);
  const tables: readonly (readonly [string, readonly (readonly unknown[])[] | undefined, number, number])[] = [
    ["roles [layer][scale]", roles, depth, scales],
    ["capacities [scale][layer]", capacities, scales - 1, depth],
    ["statistics.asi [layer][scale]", statistics?.asi, depth, scales],
    ["statistics.z [layer][scale]", statistics?.z, depth, scales],
    ["segments.mass [layer][head]", segments?.mass, depth, heads],
    ["segments.mass [layer × head][scale]", segments?.mass.flat(), depth * heads, scales - 1],
    ["segments.order [scale][slot]", segments?.order, evicted, depth * heads],
    ["segments.variance [layer][head]", segments?.variance, depth, heads],
  ];
  for (const [name, table, rows, columns] of tables) {
    if (!table) continue;
    if (table.length !== rows) return `${name}: number of rows ${table.length}, not ${rows}`;
    const wrong = table.find((row) => row.length !== columns);
    if (wrong) return `${name}: a row of length ${wrong.length}, not ${columns}`;
  }
  return undefined;
}

function capacityProblem({ schedule, window, capacities }: Budget): string | undefined {
  for (const [scale, history] of historyAfter(schedule.maps).entries()) {
    const least = Math.min(window, history);
    for (const [layer, capacity] of (capacities[scale] ?? []).entries()) {
      if (capacity >= least && capacity <= history) continue;
      return `capacity ${capacity} of layer ${layer} after scale ${scale}: not from ${least} to ${history} tokens`;
    }
  }
  return undefined;
}

/** Every slot must be evicted once and once only. */
function orderProblem({ model, segments }: Budget): string | undefined {
  const slots = model.depth * model.heads;
  for (const [index, order] of (segments?.order ?? []).entries()) {
    if (new Set(order).size === slots && order.every((slot) => slot < slots)) continue;
    return `segments.order ${index} does not name each of ${slots} slots once`;
  }
  return undefined;
}

/**
 * The budget for the model and maps at hand. One made for a larger size class of the same ratio is cut to the scales
 * that are drawn, as size classes of a ratio begin alike. What is left keeps its capacities, a larger share of the
 * smaller cache, and still names the size class that it was made for.
 *
 * @throws BudgetError for another model, another ratio, or more scales than the budget knows
 */
export function fitBudget(budget: Budget, model: BudgetModel, maps: readonly MapSize[], file: string): Budget {
  requireModel(budget, model, file);
  const { ratio, pixels, maps: known } = budget.schedule;
  const madeFor = `${file}: made for ${pixels} at ratio ${ratio}`;
  if (maps.length > known.length) {
    throw new BudgetError(`${madeFor}, which has ${known.length} scales; ${maps.length} are to be drawn`);
  }
  for (const [scale, { height, width }] of maps.entries()) {
    const map = known[scale];
    if (map?.height === height && map.width === width) continue;
    const expected = map ? `${map.width}x${map.height}` : "none";
    throw new BudgetError(`${madeFor}, where map ${scale} is ${expected}; ${width}x${height} is to be drawn`);
  }
  return maps.length === known.length ? budget : cut(budget, maps.length);
}

/** Refuses, by a {@link BudgetError}, a budget that was made for a model of other sizes. */
export function requireModel(budget: Budget, model: BudgetModel, file: string): void {
  if (describeModel(budget.model) === describeModel(model)) return;
  throw new BudgetError(`${file}: made for ${describeModel(budget.model)}; the model has ${describeModel(model)}`);
}

/** Whether a budget knows these maps: all of its own, or the first of them. */
export function coversMaps({ schedule }: Budget, maps: readonly MapSize[]): boolean {
  return maps.every(({ height, width }, scale) => {
    const known = schedule.maps[scale];
    return known?.height === height && known.width === width;
  });
}

function describeModel({ depth, heads, width }: BudgetModel): string {
  return `depth ${depth}, ${heads} heads, width ${width}`;
}

/** The first `scales` scales; the last of them becomes the one that is not kept. */
function cut(budget: Budget, scales: number): Budget {
  const { schedule, roles, capacities, statistics, segments } = budget;
  const first = <T>(rows: readonly (readonly T[])[]): T[][] => rows.map((row) => row.slice(0, scales));
  return {
    ...budget,
    schedule: { ...schedule, maps: schedule.maps.slice(0, scales) },
    roles: first(roles),
    capacities: capacities.slice(0, scales - 1),
    ...(statistics && { statistics: { asi: first(statistics.asi), z: first(statistics.z) } }),
    ...(segments && {
      segments: {
        ...segments,
        mass: segments.mass.map((layer) => layer.map((head) => head.slice(0, scales - 1))),
        order: segments.order.slice(0, Math.max(scales - 1 - segments.sinks, 0)),
      },
    }),
  };
}

/**
 * The text of a budget file: the same for the same budget, whatever the order of its fields, one line a row.
 *
 * @throws BudgetError where the budget is not one that {@link parseBudget} would take
 */
export function formatBudget(budget: Budget, file: string): string {
  return `${layOut(checkBudget(budget, file), "")}\n`;
}

/** JSON in which only what holds lists or objects takes several lines. */
function layOut(value: unknown, indent: string): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const list = Array.isArray(value);
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  const flat = entries.every(([, inner]) => typeof inner !== "object" || inner === null);
  const deeper = flat ? "" : `${indent}  `;
  const parts = entries.map(([key, inner]) => `${list ? "" : `${JSON.stringify(key)}: `}${layOut(inner, deeper)}`);
  const [open, close] = list ? ["[", "]"] : ["{", "}"];
  if (flat) return list ? `[${parts.join(", ")}]` : `{ ${parts.join(", ")} }`;
  return `${open}\n${parts.map((part) => deeper + part).join(",\n")}\n${indent}${close}`;
}
