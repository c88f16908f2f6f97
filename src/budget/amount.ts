/**
 * How large a budget is, in the three ways people say it: a share of the full cache (`10%`), tokens a layer (`650`), or
 * memory (`200MiB`). All become tokens a layer, which is what allocations divide.
 */
import { OptionError } from "../errors.js";
import { historyTokens, type MapSize } from "./maps.js";
import { FINE_TOKENS } from "./memory.js";

/** A budget before it is known what model and schedule it is for. */
export type Amount =
  | { readonly kind: "share"; readonly share: number }
  | { readonly kind: "tokens"; readonly tokens: number }
  | { readonly kind: "bytes"; readonly bytes: number };

const UNITS: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
const NUMBER = String.raw`\d+(?:\.\d+)?`;
const SHARE = new RegExp(`^(${NUMBER})%$`);
const BYTES = new RegExp(`^(${NUMBER})(${Object.keys(UNITS).join("|")})$`);
const TOKENS = /^\d+$/;

/**
 * Reads a budget as it is written on a command line, or as a program gives it: a number up to 1 is a share, a larger
 * one tokens.
 *
 * @throws OptionError for anything else, and for a share above 100 %
 */
export function parseAmount(value: string | number): Amount {
  const amount = typeof value === "number" ? amountOfNumber(value) : amountOfText(value);
  const shown = value === "" ? '""' : value;
  if (!amount) {
    throw new OptionError(`budget ${shown}: not a share (10%), tokens a layer (650) or memory (200KiB, 200MiB, 2GiB)`);
  }
  if (amount.kind === "share" && !(amount.share > 0 && amount.share <= 1)) {
    throw new OptionError(`budget ${shown}: a share must be above 0% and at most 100%`);
  }
  return amount;
}

function amountOfNumber(value: number): Amount | undefined {
  if (value <= 1) return { kind: "share", share: value };
  return Number.isInteger(value) ? { kind: "tokens", tokens: value } : undefined;
}

function amountOfText(text: string): Amount | undefined {
  const share = SHARE.exec(text)?.[1];
  if (share !== undefined) return { kind: "share", share: Number(share) / 100 };
  const [, bytes, unit = ""] = BYTES.exec(text) ?? [];
  if (bytes !== undefined) return { kind: "bytes", bytes: Number(bytes) * (UNITS[unit] ?? NaN) };
  return TOKENS.test(text) ? { kind: "tokens", tokens: Number(text) } : undefined;
}

/** Tokens of the full cache in the paper's schedule (1:1, `1M`). */
const PUBLISHED_HISTORY = 6425;

/**
 * The shares that the paper names, and the tokens it means by them. Its figures of memory are exact multiples of these
 * (7,800, 3,900 and 1,590 of 38,550 MiB). No one rounding gives all three: 1,300 and 650 are 1,285 and 642.5 rounded up,
 * while 4 % would be 257; 265 is as many tokens as the first six maps have.
 */
const PUBLISHED_SHARES: readonly (readonly [share: number, tokens: number])[] = [
  [0, 0],
  [0.04, 265],
  [0.1, 650],
  [0.2, 1300],
  [1, PUBLISHED_HISTORY],
];

/**
 * A share of the full cache in tokens, so that the paper's budgets keep their names: 10 % is 650 of 6,425 tokens, and
 * 650 / 6,425 of any other history. Between the published shares it is linear, hence never falls as the share grows;
 * it exceeds the bare share by at most 3.1 % (at 4 %; by 1.2 % at 10 % and 20 %).
 */
export function shareInTokens(share: number, history: number): number {
  const above = PUBLISHED_SHARES.findIndex(([named]) => share <= named);
  const [high, highTokens] = PUBLISHED_SHARES[above] ?? [1, PUBLISHED_HISTORY];
  const [low, lowTokens] = PUBLISHED_SHARES[above - 1] ?? [0, 0];
  const part = high === low ? 0 : (share - low) / (high - low);
  return Math.round(((lowTokens + part * (highTokens - lowTokens)) * history) / PUBLISHED_HISTORY);
}

/** What an amount depends on besides itself. */
export interface AmountTask {
  readonly maps: readonly MapSize[];
  /** Bytes of one token in all layers and rows; needed for an amount in bytes. */
  readonly bytesPerToken?: number;
  /** Bytes that each of the first {@link FINE_TOKENS} tokens takes on top. Default 0. */
  readonly fineBytes?: number | undefined;
}

/**
 * Tokens a layer, at most what there is to keep: a budget is a limit, and a larger one is the full cache. Bytes are
 * rounded down, so that the limit holds after every scale. While a scale runs, a policy that gives layers or heads unequal
 * shares may have shrunk some and not yet the others: up to a fifth more (`peakBytes` of the report).
 *
 * @throws OptionError for less than one token
 */
export function resolveAmount(amount: Amount, task: AmountTask): number {
  const history = historyTokens(task.maps);
  const tokens = amountInTokens(amount, history, task);
  if (tokens < 1) {
    throw new OptionError(`budget ${written(amount)}: not a single one of the ${history} tokens of a layer`);
  }
  return Math.min(tokens, history);
}

function amountInTokens(amount: Amount, history: number, { bytesPerToken, fineBytes = 0 }: AmountTask): number {
  switch (amount.kind) {
    case "share":
      return shareInTokens(amount.share, history);
    case "tokens":
      return amount.tokens;
    case "bytes":
      if (bytesPerToken === undefined || !(bytesPerToken > 0)) {
        throw new OptionError(`budget ${written(amount)}: memory says nothing without the bytes of a token`);
      }
      return Math.max(
        Math.min(FINE_TOKENS, Math.floor(amount.bytes / (bytesPerToken + fineBytes))),
        Math.floor((amount.bytes - FINE_TOKENS * fineBytes) / bytesPerToken),
      );
  }
}

/** An amount for a message, in the form it was read from. */
function written(amount: Amount): string {
  switch (amount.kind) {
    case "share":
      return `${Number((amount.share * 100).toPrecision(12))}%`;
    case "tokens":
      return String(amount.tokens);
    case "bytes":
      return `${Number((amount.bytes / 2 ** 20).toPrecision(12))}MiB`;
  }
}
