import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../errors.js";
import { parseInteger, parseNumber, parsePerScale, parseSize } from "./numbers.js";

const PERCENT = { min: 0, max: 100 };

/** −0 prints as "0" and so comes back as 0. */
const withoutMinusZero = (value: number): number => value + 0;

describe("parseNumber", () => {
  it.each([
    ["3", 3],
    ["0.5", 0.5],
    [".5", 0.5],
    ["+2.", 2],
    ["1e-2", 0.01],
    ["100", 100],
  ])("reads %s", (text, value) => {
    expect(parseNumber("--x", text, PERCENT)).toBe(value);
  });

  it.each(["", " ", "3x", "x3", "0x10", "NaN", "Infinity", "1,5", "1 2", "--1", "1e", "1e999", "-0.1", "100.1"])(
    "refuses %j",
    (text) => {
      expect(() => parseNumber("--x", text, PERCENT)).toThrow(
        new OptionError(`--x ${text || '""'}: not a number from 0 to 100`),
      );
    },
  );

  it("returns every number of the range as it was printed, and never one outside it", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }).map(withoutMinusZero), (value) => {
        const read = (): number => parseNumber("--x", String(value), { min: -1e9, max: 1e9 });
        if (Math.abs(value) <= 1e9) expect(read()).toBe(value);
        else expect(read).toThrow(OptionError);
      }),
    );
  });
});

describe("parseInteger", () => {
  it("takes whole numbers up to both limits", () => {
    expect(parseInteger("--seed", "0", { min: 0, max: 4294967295 })).toBe(0);
    expect(parseInteger("--seed", "4294967295", { min: 0, max: 4294967295 })).toBe(4294967295);
  });

  it.each(["4294967296", "-1", "1.0", "1e3", "seven", ""])("refuses %j", (text) => {
    const expected = new OptionError(`--seed ${text || '""'}: not a whole number from 0 to 4294967295`);
    expect(() => parseInteger("--seed", text, { min: 0, max: 4294967295 })).toThrow(expected);
  });
});

describe("parsePerScale", () => {
  it("tells one value from one per scale", () => {
    expect(parsePerScale("--guidance", "3", PERCENT)).toBe(3);
    expect(parsePerScale("--guidance", "1.5,2,3", PERCENT)).toEqual([1.5, 2, 3]);
  });

  it.each(["1,", ",1", "1,,2", "1, 2", "1;2"])("refuses %j", (text) => {
    expect(() => parsePerScale("--guidance", text, PERCENT)).toThrow(OptionError);
  });
});

describe("parseSize", () => {
  it("reads width first", () => {
    expect(parseSize("--size", "768x512")).toEqual({ width: 768, height: 512 });
  });

  it.each(["768", "768x", "x512", "768x512x3", "768*512", "768.5x512", "0x512", "63x512", "512x4097"])(
    "refuses %j",
    (text) => {
      expect(() => parseSize("--size", text)).toThrow(OptionError);
    },
  );
});
