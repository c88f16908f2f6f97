/**
 * How many tokens each layer may keep after each scale. All allocations here hold to one rule: after scale k the layers
 * together keep exactly layers × min(budget, tokens of the scales 0 … k). They differ in who gets how much.
 *
 * A layer cannot keep what it no longer has: its room is what it kept after the scale before plus the new map. (The
 * published tables call this `Limit`.) What one layer has no room for goes to others; none is lost.
 */
import { OptionError } from "../errors.js";
import { historyAfter, type MapSize } from "./maps.js";
import type { Roles } from "./selectivity.js";

/** Tokens that layer `l` may keep after scale `k`, [scale 0 … K − 2][layer], for each row and head. */
export type Capacities = readonly (readonly number[])[];

/** The observation window, in tokens, as published: 4 × 4 patch centres. No layer keeps fewer. */
export const WINDOW = 16;

/**
 * The observation window of a budget: the published one or, where that would be more than half of the budget, the largest
 * smaller square that is not. (The smallest budget of the publication, 105 tokens, is far from that; in small schedules
 * 16 tokens can be all there is, and nothing would be chosen.)
 */
export function windowFor(budget: number): number {
  const side = Math.floor(Math.sqrt(budget / 2));
  return Math.min(WINDOW, Math.max(side * side, 1));
}

/** What is allocated, and among whom. */
export interface AllocationTask {
  readonly maps: readonly MapSize[];
  readonly layers: number;
  /** Tokens a layer on average: what a uniform allocation would give to each. */
  readonly budget: number;
  /** The least a layer keeps. Default: {@link windowFor} the budget. */
  readonly window?: number;
}

/** One scale after which something must go. */
interface Step {
  /** The scale whose map was just added. */
  readonly scale: number;
  /** Tokens to divide among all layers. */
  readonly total: number;
  /** The most that each layer can keep. */
  readonly rooms: readonly number[];
}

/**
 * Every layer the same: the budget, or all there is.
 *
 * @throws OptionError, as every allocation, for a budget below the window or a number that is not whole
 */
export function allocateUniform(task: AllocationTask): Capacities {
  return allocate(task, ({ total, rooms }) => divide(total, rooms));
}

/** The first layer of a pyramid gets about twice the mean, the last this part of the mean (PyramidKV's β). */
const PYRAMID_TAPER = 20;

/**
 * PyramidKV (arXiv 2406.02069): beyond the window, capacities fall by the same step from layer to layer, from
 * 2m − m/20 in the first to m/20 in the last, where m is the mean. Rounded down; the remainder goes to the first layers.
 */
export function allocatePyramid(task: AllocationTask): Capacities {
  const { layers, budget, window = windowFor(budget) } = task;
  const mean = budget - window;
  const last = mean / PYRAMID_TAPER;
  const step = layers > 1 ? (2 * (mean - last)) / (layers - 1) : 0;
  const first = layers > 1 ? 2 * mean - last : mean;
  return allocate(task, ({ total, rooms }) => {
    const floors = rooms.map((room, layer) => Math.min(room, window + Math.floor(first - step * layer)));
    const rest = divide(total - sum(floors), subtract(rooms, floors));
    return floors.map((tokens, layer) => tokens + (rest[layer] ?? 0));
  });
}

/** How a refiner's share falls from scale to scale, in tokens. */
export interface RefinerDecay {
  /** B_r(0). */
  readonly start: number;
  /** δ, taken away at every further scale. */
  readonly decay: number;
  /** Where the decay ends. */
  readonly least: number;
}

/**
 * The fewest windows that refiners keep, where the budget has that many: at 4 % of 2B's history, the smallest budget in the
 * paper, the part of {@link publishedDecay} comes to 82 tokens. In smaller histories it would be little more than the window,
 * and next to nothing would be chosen (`docs/LOG.md`: 4 dB at 62 tokens a layer).
 */
const LEAST_WINDOWS = 5;

/**
 * The paper's B_r(0) = 600 and δ = 70 at 650 tokens a layer, in proportion for other budgets. By themselves they would
 * be negative from the tenth scale on; the end of the decay is read off the published tables, none of which goes below
 * 200, and is {@link LEAST_WINDOWS} windows or more.
 */
export function publishedDecay(budget: number): RefinerDecay {
  const least = Math.max((200 / 650) * budget, LEAST_WINDOWS * WINDOW);
  return { start: (600 / 650) * budget, decay: (70 / 650) * budget, least: Math.min(least, budget) };
}

/**
 * ScaleKV's Eq. 4: after scale k refiners keep B_r(k) = B_r(0) − δ · k, and drafters share what that saves; what they
 * have no room for goes back to the refiners. No share falls below the window. Each side divides evenly, remainders to
 * its first layers. The roles are those of scale k + 1, which reads what is kept.
 *
 * What the published 10 % tables do: refiners are down at the 200 tokens where their decay ends whenever something is
 * evicted, so what is saved exceeds the drafters' room. Drafters therefore keep all they can (less a few tokens, so
 * that the division comes out even), and refiners get the rest: 632, 594, 526, 420, 465 for 2B. Only three drafters at
 * the last scale of 8B take less than their room: 6,200 of 6,358, with refiners at 200. Given the same roles, this
 * function is within 3 % of every number of both tables.
 *
 * @throws OptionError for roles of another shape, or none where one is needed
 */
export function allocateScaleKV(
  task: AllocationTask & { readonly roles: Roles },
  { start, decay, least }: RefinerDecay = publishedDecay(task.budget),
): Capacities {
  const { roles, layers, budget, window = windowFor(budget) } = task;
  if (roles.length !== layers) throw new OptionError(`roles: of ${roles.length} layers, not of ${layers}`);
  return allocate(task, ({ scale, total, rooms }) => {
    const isDrafter = roles.map((row, layer) => roleAt(row, layer, scale + 1) === "drafter");
    const drafterRooms = rooms.map((room, layer) => (isDrafter[layer] ? room : 0));
    const refinerRooms = subtract(rooms, drafterRooms);
    const share = clamp(Math.round(Math.max(start - decay * scale, least)), window, budget);
    const kept = sum(refinerRooms.map((room) => Math.min(room, share)));
    const drafters = divide(total - kept, drafterRooms);
    const refiners = divide(total - sum(drafters), refinerRooms);
    return drafters.map((tokens, layer) => tokens + (refiners[layer] ?? 0));
  });
}

/**
 * HACK's two kinds of heads: contextual ones get `part` of the mean budget, structural ones what that leaves. `layers` counts
 * heads here, all layers' one after another, and so does the second axis of the result.
 */
export function allocateByKind(
  task: AllocationTask & { readonly contextual: readonly boolean[]; readonly part?: number },
): Capacities {
  const { contextual, budget, part = 1 / 2 } = task;
  return allocate(task, ({ total, rooms }) => {
    const share = Math.max(Math.round(part * budget), 1);
    const small = rooms.map((room, slot) => (contextual[slot] ? Math.min(room, share) : 0));
    const large = divide(
      total - sum(small),
      subtract(rooms, small).map((room, slot) => (contextual[slot] ? 0 : room)),
    );
    // What structural heads have no room for.
    const rest = divide(total - sum(small) - sum(large), subtract(subtract(rooms, small), large));
    return small.map((tokens, slot) => tokens + large[slot]! + rest[slot]!);
  });
}

function roleAt(row: Roles[number], layer: number, scale: number): NonNullable<Roles[number][number]> {
  const role = row[scale];
  if (!role) throw new OptionError(`roles: layer ${layer} has none at scale ${scale}, which reads an evicted cache`);
  return role;
}

/** Walks through the scales: everything is kept until it exceeds the budget, then `share` divides. */
function allocate(task: AllocationTask, share: (step: Step) => readonly number[]): Capacities {
  const { maps, layers, budget } = task;
  const history = historyAfter(maps);
  checkTask(task, history.at(-1) ?? 0);
  let kept: readonly number[] = Array.from({ length: layers }, () => 0);
  return history.map((tokens, scale) => {
    const added = tokens - (history[scale - 1] ?? 0);
    const rooms = kept.map((before) => before + added);
    kept = tokens <= budget ? rooms : share({ scale, total: layers * budget, rooms });
    return kept;
  });
}

function checkTask({ layers, budget, window = 1 }: AllocationTask, history: number): void {
  if (!(Number.isInteger(layers) && layers > 0)) throw new OptionError(`layers ${layers}: not a whole number from 1`);
  const least = Math.min(window, history);
  if (!(Number.isInteger(budget) && budget >= least)) {
    throw new OptionError(`budget ${budget}: not a whole number of tokens a layer from ${least}`);
  }
}

/**
 * Divides `total` as evenly as the rooms allow: a layer whose room is below the even share fills it, and the others
 * divide the rest; tokens that do not divide go to the first of those. If all rooms together are smaller, all are filled.
 */
function divide(total: number, rooms: readonly number[]): number[] {
  let left = total;
  let open = [...rooms.keys()];
  const shares = rooms.map(() => 0);
  for (;;) {
    const even = Math.floor(left / open.length);
    const full = open.filter((layer) => rooms[layer]! <= even);
    if (full.length === 0) break;
    for (const layer of full) {
      shares[layer] = rooms[layer]!;
      left -= rooms[layer]!;
    }
    open = open.filter((layer) => rooms[layer]! > even);
  }
  const even = Math.floor(left / open.length);
  const remainder = left - even * open.length;
  open.forEach((layer, rank) => (shares[layer] = even + (rank < remainder ? 1 : 0)));
  return shares;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function subtract(from: readonly number[], what: readonly number[]): number[] {
  return from.map((value, index) => value - (what[index] ?? 0));
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
