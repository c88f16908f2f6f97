/**
 * Budget tables as the published ScaleKV code reads them (`budgets/*.json` of github.com/StargazerX0/ScaleKV), and the
 * rule by which that code uses them:
 *
 * - After the scale with index s (from 0) the row `Scale s+2` holds, so a row is named, from 1, after the scale that
 *   reads what it keeps.
 * - Nothing is evicted until a layer's cache first exceeds the base capacity; until then all layers hold the same.
 * - The last row would also hold after the last scale, of which this project keeps nothing.
 */
import { z } from "zod";
import { BudgetError } from "../errors.js";
import type { Capacities } from "./allocate.js";
import { historyAfter, type MapSize } from "./maps.js";
import type { Roles } from "./selectivity.js";

/** One row: which layers are drafters, and what each kind keeps. */
export interface PublishedRow {
  /** The N of `Scale N`, from 1. */
  readonly scale: number;
  /** Tokens a drafter keeps. */
  readonly max: number;
  /** Tokens a refiner keeps. */
  readonly min: number;
  readonly drafters: readonly number[];
}

/** A table for a model of `layers` layers. */
export interface PublishedTable {
  readonly layers: number;
  readonly rows: readonly PublishedRow[];
}

/** Tokens each layer keeps, by row name: element N is the row `Scale N`, `null` where there is none. */
export type CacheSizes = readonly (readonly number[] | null)[];

/** Fields the published code reads; `High` (the number of drafters) and `Limit` (the room they have) it does not. */
const ROW = z.looseObject({ Max: z.int().positive(), Min: z.int().positive() });
const TABLE = z.record(z.string().regex(/^Scale [1-9]\d?$/), ROW);
const BLOCK = /^Block (\d+)$/;

/**
 * Reads a published table from its parsed JSON.
 *
 * @throws BudgetError where it is none: no rows, a missing `Max`, `Min` or `Block i`, or rows of different layers
 */
export function parsePublishedTable(json: unknown, file: string): PublishedTable {
  const parsed = TABLE.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue?.path.join(", ") ?? "";
    throw new BudgetError(`${file}: not a published budget table: ${place}: ${issue?.message ?? "invalid"}`);
  }
  const entries = Object.entries(parsed.data);
  const layers = blocksOf(entries[0]?.[1] ?? {}).length;
  if (layers === 0) throw new BudgetError(`${file}: not a published budget table: it names no layers`);
  const rows = entries.map(([name, row]) => ({
    scale: Number(name.slice("Scale ".length)),
    max: row.Max,
    min: row.Min,
    drafters: draftersOf(row, layers, `${file}: ${name}`),
  }));
  return { layers, rows: rows.sort((a, b) => a.scale - b.scale) };
}

/** The layers whose block is 1; `where` begins a message. */
function draftersOf(row: Readonly<Record<string, unknown>>, layers: number, where: string): number[] {
  const blocks = blocksOf(row);
  if (blocks.length !== layers) throw new BudgetError(`${where} has ${blocks.length} blocks, not ${layers}`);
  return blocks.flatMap((value, layer) => {
    if (value !== 0 && value !== 1) throw new BudgetError(`${where}, Block ${layer}: neither 0 nor 1`);
    return value === 1 ? [layer] : [];
  });
}

/** Values of `Block 0`, `Block 1`, …; a gap is undefined. */
function blocksOf(row: Readonly<Record<string, unknown>>): unknown[] {
  const count = Object.keys(row).filter((key) => BLOCK.test(key)).length;
  return Array.from({ length: count }, (_, layer) => row[`Block ${layer}`]);
}

/** What the published code makes of a table. */
export function cacheSizes({ layers, rows }: PublishedTable): CacheSizes {
  const sizes: (number[] | null)[] = Array.from({ length: (rows.at(-1)?.scale ?? 0) + 1 }, () => null);
  for (const { scale, max, min, drafters } of rows) {
    sizes[scale] = Array.from({ length: layers }, (_, layer) => (drafters.includes(layer) ? max : min));
  }
  return sizes;
}

/**
 * Capacities, [scale 0 … K − 2][layer], by the published rule.
 *
 * @param base tokens a layer may hold before anything is evicted
 * @throws BudgetError where a scale needs a row that is not there
 */
export function publishedCapacities(
  sizes: CacheSizes,
  { maps, layers, base }: { readonly maps: readonly MapSize[]; readonly layers: number; readonly base: number },
): Capacities {
  return historyAfter(maps).map((history, scale) => {
    if (history <= base) return Array.from({ length: layers }, () => history);
    const row = sizes[scale + 2];
    if (row?.length !== layers) {
      throw new BudgetError(
        `the published table has no row Scale ${scale + 2} of ${layers} layers for ${history} tokens`,
      );
    }
    return row.map((tokens) => Math.min(tokens, history));
  });
}

/** Roles, [layer][scale], of `scales` scales; `null` at scales without a row. */
export function publishedRoles({ layers, rows }: PublishedTable, scales: number): Roles {
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: scales }, (_, scale) => {
      const row = rows.find(({ scale: name }) => name === scale + 1);
      if (!row) return null;
      return row.drafters.includes(layer) ? "drafter" : "refiner";
    }),
  );
}
