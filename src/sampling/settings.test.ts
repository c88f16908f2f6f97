import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SETTINGS } from "../../test/support/run.js";
import { canonicalJson } from "./hash.js";
import { formatManifest, parseManifest, settingsHash, type Manifest } from "./manifest.js";
import { drawingOf, firstDifference } from "./settings.js";

describe("canonicalJson", () => {
  it("does not mind the order of keys, and tells different values apart", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (record) => {
        const reversed = Object.fromEntries(Object.entries(record).reverse());
        expect(canonicalJson([reversed])).toBe(canonicalJson([record]));
        expect(JSON.parse(canonicalJson(record))).toEqual(JSON.parse(JSON.stringify(record)));
      }),
    );
    expect(canonicalJson({ b: [2, 1], a: undefined })).toBe('{"b":[2,1]}');
  });
});

describe("settings", () => {
  it("do not differ where one leaves out what the other leaves open", () => {
    expect(firstDifference(SETTINGS, { ...SETTINGS, negative: undefined })).toBeUndefined();
    expect(settingsHash({ ...SETTINGS, negative: undefined })).toBe(settingsHash(SETTINGS));
  });

  it("name the first difference with its place", () => {
    const cache = { policy: "scalekv", tokens: 650, storage: "fp32" } as const;
    expect(firstDifference(SETTINGS, { ...SETTINGS, cache })).toBe('cache.policy "full", asked for is "scalekv"');
    expect(firstDifference({ ...SETTINGS, cache }, { ...SETTINGS, cache: { ...cache, tokens: 265 } })).toBe(
      "cache.tokens 650, asked for is 265",
    );
  });

  it("survive their manifest", () => {
    const settings = {
      ...SETTINGS,
      negative: "fog\n",
      guidance: [1.5, 0.1 + 0.2],
      cache: { policy: "hack", tokens: 3, calibration: "f".repeat(64), storage: "int8" },
    } as const;
    const manifest: Manifest = {
      version: 1,
      settings,
      settingsSha256: settingsHash(settings),
      tasks: { count: 1, sha256: "a".repeat(64) },
      files: { "a/b.jsonl": "b".repeat(64) },
      model: { name: "tiny" },
    };
    expect(parseManifest(formatManifest(manifest), "manifest")).toEqual(manifest);
  });

  it("are drawn with as they are", () => {
    expect(drawingOf(SETTINGS)).toEqual({
      pixels: "0.06M",
      ratio: 1,
      guidance: 4,
      guidanceLayers: [0],
      temperature: 1,
      topK: 900,
      topP: 0.97,
      negative: undefined,
      positivePrompt: false,
    });
  });
});
