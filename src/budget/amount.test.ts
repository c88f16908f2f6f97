import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../errors.js";
import { parseAmount, resolveAmount, shareInTokens } from "./amount.js";
import { FINE_TOKENS } from "./memory.js";

const MAPS = [1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64].map((side) => ({ height: side, width: side }));

describe("parseAmount", () => {
  it.each([
    ["10%", { kind: "share", share: 0.1 }],
    ["12.5%", { kind: "share", share: 0.125 }],
    ["100%", { kind: "share", share: 1 }],
    ["650", { kind: "tokens", tokens: 650 }],
    ["200MiB", { kind: "bytes", bytes: 200 * 2 ** 20 }],
    ["1.5GiB", { kind: "bytes", bytes: 1.5 * 2 ** 30 }],
    ["64KiB", { kind: "bytes", bytes: 64 * 2 ** 10 }],
    [0.1, { kind: "share", share: 0.1 }],
    [1, { kind: "share", share: 1 }],
    [650, { kind: "tokens", tokens: 650 }],
  ])("reads %s", (value, amount) => {
    expect(parseAmount(value)).toEqual(amount);
  });

  it.each([
    "",
    "0.1",
    "ten",
    "-5",
    "10 %",
    "%",
    "1e3",
    "200MB",
    "200mib",
    "200 MiB",
    "MiB",
    "0x10",
    "65.5",
    1.5,
    Infinity,
    NaN,
  ])("refuses %j", (value) => {
    const shown = value === "" ? '""' : value;
    expect(() => parseAmount(value)).toThrow(
      new OptionError(`budget ${shown}: not a share (10%), tokens a layer (650) or memory (200KiB, 200MiB, 2GiB)`),
    );
  });

  it.each(["0%", "101%", 0, -0.5])("refuses the share %s", (value) => {
    expect(() => parseAmount(value)).toThrow(
      new OptionError(`budget ${value}: a share must be above 0% and at most 100%`),
    );
  });
});

describe("shareInTokens", () => {
  it("gives the paper's budgets their tokens", () => {
    expect([1, 0.2, 0.1, 0.04].map((share) => shareInTokens(share, 6425))).toEqual([6425, 1300, 650, 265]);
  });

  it("never falls as the share grows, and exceeds it by at most 3.2 % and half a token", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(share, share, fc.integer({ min: 1, max: 20_000 }), (a, b, history) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        expect(shareInTokens(low, history)).toBeLessThanOrEqual(shareInTokens(high, history));
        expect(shareInTokens(a, history)).toBeLessThanOrEqual(a * history * 1.032 + 0.5);
        expect(shareInTokens(a, history)).toBeGreaterThanOrEqual(a * history - 0.5);
      }),
    );
  });
});

describe("resolveAmount", () => {
  it("resolves each kind to tokens a layer", () => {
    // 2B, one image with guidance, fp16: 32 layers × 2 rows × 2048 × 4 bytes.
    const bytesPerToken = 2 ** 19;
    const resolve = (text: string) => resolveAmount(parseAmount(text), { maps: MAPS, bytesPerToken });
    expect(["10%", "650", "200MiB", "325MiB"].map(resolve)).toEqual([650, 650, 400, 650]);
    expect(resolve("200.4MiB")).toBe(400);
  });

  it("takes the most tokens that fit, where the first take more than the others", () => {
    const sizes = fc.record({
      bytes: fc.integer({ min: 1024, max: 5_000_000 }),
      bytesPerToken: fc.integer({ min: 1, max: 1000 }),
      fineBytes: fc.integer({ min: 0, max: 1000 }),
    });
    fc.assert(
      fc.property(sizes, ({ bytes, ...task }) => {
        const taken = (tokens: number): number =>
          tokens * task.bytesPerToken + Math.min(tokens, FINE_TOKENS) * task.fineBytes;
        fc.pre(bytes >= taken(1));
        const tokens = resolveAmount({ kind: "bytes", bytes }, { maps: MAPS, ...task });
        expect(taken(tokens)).toBeLessThanOrEqual(bytes);
        if (tokens < 6425) expect(taken(tokens + 1)).toBeGreaterThan(bytes);
      }),
    );
  });

  it("is never more than there is to keep", () => {
    expect(resolveAmount(parseAmount("20000"), { maps: MAPS })).toBe(6425);
    expect(resolveAmount(parseAmount("5"), { maps: MAPS.slice(0, 3) })).toBe(5);
  });

  it.each([
    ["0.001%", "budget 0.001%: not a single one of the 6425 tokens of a layer"],
    ["0.5KiB", "budget 0.00048828125MiB: not a single one of the 6425 tokens of a layer"],
  ])("refuses %s", (text, message) => {
    const resolve = () => resolveAmount(parseAmount(text), { maps: MAPS, bytesPerToken: 1000 });
    expect(resolve).toThrow(new OptionError(message));
  });

  it("refuses memory where it does not know what a token takes", () => {
    expect(() => resolveAmount(parseAmount("2GiB"), { maps: MAPS })).toThrow(
      new OptionError("budget 2048MiB: memory says nothing without the bytes of a token"),
    );
  });
});
