import { describe, expect, it } from "vitest";
import type { StageReport } from "../generate/types.js";
import type { GraphRuns, OperatorTime } from "./operators.js";
import { profileSvg } from "./picture.js";
import { profileOf, type PartProfile } from "./profile.js";
import type { Ceilings } from "./work.js";

const CEILINGS: Ceilings = { operations: { fp32: 10, fp16: 15, q8: 20, w8a8: 20, q4: 20 }, bytes: 10 };
const MAP = { height: 1, width: 2 };
const LEFT = { cacheBytes: 0, residentBytes: 0 };

const STAGES: StageReport[] = [
  { name: "text", seconds: 2, parts: {}, ...LEFT },
  { name: "scale 1", map: MAP, seconds: 10, parts: { layers: 8, head: 1, cache: 0.5 }, ...LEFT },
  { name: "scale 2", map: MAP, seconds: 20, parts: { layers: 18, head: 1 }, ...LEFT },
  { name: "vae", seconds: 5, parts: {}, ...LEFT },
];

const time = (part: string, operator: string, seconds: number): OperatorTime => ({ part, operator, seconds });
const GRAPHS: GraphRuns[] = [
  { graph: "T5-layer-0", runs: [[time("", "Gemm", 1.5)]] },
  {
    graph: "layer-0",
    runs: [
      [time("mlp", "FusedMatMul", 2), time("", "Add", 1)],
      [time("mlp", "FusedMatMul", 4), time("attention", "MultiHeadAttention", 3)],
    ],
  },
  { graph: "layer-1", runs: [[time("mlp", "FusedMatMul", 3)], [time("mlp", "FastGelu", 5)]] },
  { graph: "select-fp32", runs: [[time("", "TopK", 0.25)]] },
  { graph: "VAE-conv_in", runs: [[time("", "Conv", 4)]] },
];

const WORK = [
  { name: "scale 1", parts: { mlp: { operations: { fp32: 20 }, bytes: 0 }, head: { operations: {}, bytes: 5 } } },
  { name: "scale 2", parts: { mlp: { operations: { q8: 40 }, bytes: 0 } } },
];

const profile = profileOf({ stages: STAGES }, GRAPHS, WORK, CEILINGS);
const seconds = (parts: readonly PartProfile[]): Record<string, number> =>
  Object.fromEntries(parts.map((part) => [part.name, part.seconds]));

describe("a profile", () => {
  it("divides a scale's layers by their operators, run by run, and leaves nothing of a stage out", () => {
    const [text, first, second, vae] = profile.stages;
    expect(seconds(text!.parts)).toEqual({ "text encoder": 1.5, rest: 0.5 });
    const none = { projections: 0, attention: 0, text: 0 };
    // 8 s in layers, of which operators took 6.
    expect(seconds(first!.parts)).toEqual({ ...none, mlp: 5, norms: 1, head: 1, cache: 0.5, rest: 2.5 });
    expect(seconds(second!.parts)).toEqual({ ...none, attention: 3, mlp: 9, norms: 0, head: 1, rest: 7 });
    expect(seconds(vae!.parts)).toEqual({ vae: 4, rest: 1 });
  });

  it("sets the floor of each part beside it, and adds up over stages", () => {
    const mlp = profile.parts.find(({ name }) => name === "mlp");
    expect(mlp).toEqual({ name: "mlp", seconds: 14, operations: 60, bytes: 0, floorSeconds: 2 + 2 });
    expect(profile.total).toEqual({ name: "total", seconds: 37, operations: 60, bytes: 5, floorSeconds: 4.5 });
    expect(profile.parts.map(({ name }) => name)).toEqual(
      "text encoder|projections|attention|text|mlp|norms|cache|head|vae|rest".split("|"),
    );
  });

  it("sets the products of projections and MLPs beside their floor, without what else those do", () => {
    expect(profile.dense).toEqual({ seconds: 9, operations: 60, floorSeconds: 4 });
  });

  it("lists operators, the slowest first", () => {
    expect(profile.operators.slice(0, 3)).toEqual([
      { part: "mlp", operator: "FusedMatMul", seconds: 9, count: 3 },
      { part: "mlp", operator: "FastGelu", seconds: 5, count: 1 },
      { part: "vae", operator: "Conv", seconds: 4, count: 1 },
    ]);
    expect(profile.operators.at(-1)).toEqual({ part: "cache", operator: "TopK", seconds: 0.25, count: 1 });
  });

  it("refuses layers that ran another number of times than there are scales", () => {
    const [graph] = GRAPHS.filter((one) => one.graph === "layer-1");
    const short = [{ ...graph!, runs: graph!.runs.slice(1) }];
    expect(() => profileOf({ stages: STAGES }, short, WORK, CEILINGS)).toThrow("layer-1: 1 runs for 2 scales");
  });
});

describe("its picture", () => {
  const svg = profileSvg(profile, "a <model> & more");
  const boxes = [...svg.matchAll(/<rect x="([\d.]+)" y="84" width="([\d.]+)" height="120"/g)];

  it("draws parts as wide as their time, one behind the other, and needs nothing else", () => {
    const widths = boxes.map(([, , width]) => Number(width));
    const shown = profile.stages.flatMap(({ parts }) => parts).filter((part) => part.seconds > 0);
    expect(widths).toHaveLength(shown.length);
    // 1160 pixels are 37 seconds; coordinates are rounded to a hundredth.
    shown.forEach((part, i) => expect(widths[i]).toBeCloseTo((1160 / 37) * part.seconds, 1));
    expect(svg).not.toMatch(/href|url\(|<script/);
  });

  it("fills a part up to the share that it could not do without", () => {
    // The first scale's MLP took 5 s of at least 2.
    expect(svg).toContain("<title>mlp: 5.00 s, at least 2.00 s</title>");
    expect(svg).toMatch(/y="156" width="156.76" height="48"/);
  });

  it("writes its title as text, and the totals below it, where no title is too long for them", () => {
    expect(svg).toContain('<text x="20" y="20">a &lt;model&gt; &amp; more</text>');
    expect(svg).toContain('<text x="20" y="40">37.00 s, at least 4.50 s</text>');
  });

  it("replaces what XML cannot hold", () => {
    const odd = profileSvg(profile, "a\u0000b\u001bc\ud800d\uffffe \u{1F98A}");
    expect(odd).toContain(">a\ufffdb\ufffdc\ufffdd\ufffde \u{1F98A}</text>");
  });
});
