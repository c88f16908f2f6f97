import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wave } from "../../test/support/arrays.js";
import { storedTensor } from "../../test/support/graph.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { DeviceError } from "../errors.js";
import { GraphBuilder } from "../graph/builder.js";
import type { GraphModel } from "../graph/model.js";
import * as op from "../graph/ops/index.js";
import { Session } from "./session.js";
import { float32, values } from "./tensor.js";

const WEIGHT = wave([3]);

/** sum = x + weight and double = 2 x, for x [rows, 3]. */
function build(): Promise<GraphModel> {
  const g = new GraphBuilder("sums");
  const x = g.input("x", "float32", ["rows", 3]);
  g.output("sum", op.Add(g, x, g.weight(storedTensor("weight", WEIGHT))), "float32", ["rows", 3]);
  g.output("double", op.Add(g, x, x), "float32", ["rows", 3]);
  return g.build();
}

const x = float32(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
const sums = [1, 2, 3, 4, 5, 6].map((value, i) => Math.fround(value + WEIGHT.values[i % 3]!));
const doubles = [2, 4, 6, 8, 10, 12];

describe("Session", () => {
  let session: Session;
  beforeAll(async () => {
    session = await Session.create(await build(), { device: "cpu" });
  });
  afterAll(() => session.dispose());

  it("returns all outputs unless told which", async () => {
    const found = await session.run({ x });
    expect(Object.keys(found).sort()).toEqual(["double", "sum"]);
    expect([...values(found.sum!)]).toEqual(sums);
    expect([...values(found.double!)]).toEqual(doubles);
    expect(session).toMatchObject({ name: "sums", weightBytes: 12 });
  });

  it("writes into the caller's memory and leaves what lies around it untouched", async () => {
    const memory = new Float32Array(20).fill(-1);
    const sum = float32(memory.subarray(2, 8), [2, 3]);
    const double = float32(memory.subarray(9, 15), [2, 3]);
    const found = await session.run({ x }, { sum, double });
    expect(found.sum).toBe(sum);
    expect(found.double).toBe(double);
    expect([...memory]).toEqual([-1, -1, ...sums, -1, ...doubles, -1, -1, -1, -1, -1]);
  });

  it("reads an input that is a view, as it is at that moment", async () => {
    const memory = Float32Array.of(9, 9, 9, 1, 2, 3, 9);
    const view = float32(memory.subarray(3, 6), [1, 3]);
    expect([...values((await session.run({ x: view })).double!)]).toEqual([2, 4, 6]);
    memory[3] = 50;
    expect([...values((await session.run({ x: view })).double!)]).toEqual([100, 4, 6]);
  });

  it("computes only the outputs asked for, allocating where it is given null", async () => {
    const found = await session.run({ x }, { double: null });
    expect(Object.keys(found)).toEqual(["double"]);
    expect([...values(found.double!)]).toEqual(doubles);
  });

  it("names the graph and its inputs' shapes where an output has no room or an input another shape", async () => {
    const tooSmall = float32(new Float32Array(3), [1, 3]);
    await expect(session.run({ x }, { sum: tooSmall })).rejects.toThrow(/^sums: [^\n]*; inputs x \[2, 3\]$/);
    const wrong = float32(new Float32Array(8), [2, 4]);
    await expect(session.run({ x: wrong })).rejects.toThrow(/^sums: [^\n]*; inputs x \[2, 4\]$/);
    await expect(session.run({})).rejects.toThrow(/^sums: [^\n]*x[^\n]*; inputs $/);
    // A refused run leaves the session as it was.
    expect([...values((await session.run({ x })).double!)]).toEqual(doubles);
  });
});

describe("Session.create", () => {
  it("keeps its own copy of gathered weights", async () => {
    const model = await build();
    const session = await Session.create(model, { device: "cpu" });
    model.data.fill(0xff);
    expect([...values((await session.run({ x })).sum!)]).toEqual(sums);
    await session.dispose();
  });

  it("multiplies alike whether or not it lays matrices out anew", async () => {
    const g = new GraphBuilder("product");
    const rows = g.input("x", "float32", [1, "rows", 40]);
    g.output("y", op.Linear(g, rows, g.matrix(storedTensor("weight", wave([24, 40])))), "float32", [1, "rows", 24]);
    const model = await g.build();
    const given = { x: float32(Float32Array.from(wave([1, 7, 40]).values), [1, 7, 40]) };
    const [packed, mapped] = await Promise.all(
      [true, false].map(async (packs) => {
        const session = await Session.create(model, { device: "cpu", packs });
        const { y } = await session.run(given);
        await session.dispose();
        return values(y!);
      }),
    );
    packed!.forEach((value, i) => expect(mapped![i]).toBeCloseTo(value, 5));
  });

  // WebAssembly is for browsers; CUDA needs a provider and a GPU.
  it.each(existsSync("/dev/nvidiactl") ? ["wasm" as const] : ["wasm" as const, "cuda" as const])(
    "refuses %s, which is not here, in one line",
    async (device) => {
      const creating = Session.create(await build(), { device });
      await expect(creating).rejects.toThrow(DeviceError);
      await expect(creating).rejects.toThrow(new RegExp(`^sums: ${device} cannot load this graph: [^\\n]+$`));
    },
  );

  it("refuses an operator that does not exist, in one line", async () => {
    const g = new GraphBuilder("nonsense");
    g.output("y", g.node("Nonsense", [g.input("x", "float32", [1])])[0], "float32", [1]);
    const creating = Session.create(await g.build(), { device: "cpu" });
    await expect(creating).rejects.toThrow(DeviceError);
    await expect(creating).rejects.toThrow(/^nonsense: cpu cannot load this graph: [^\n]*Nonsense[^\n]*$/);
  });

  it("runs with the threads it is given and writes ONNX Runtime's profile where asked to", () =>
    inTemporaryFolder(async (folder) => {
      const profile = join(folder, "profile");
      const session = await Session.create(await build(), { device: "cpu", threads: 1, profile });
      await session.run({ x });
      await session.dispose();
      const [written = "", ...more] = await readdir(folder);
      expect(written).toMatch(/^profile.*\.json$/);
      expect(more).toEqual([]);
      const events = JSON.parse(await readFile(join(folder, written), "utf8")) as { name: string }[];
      expect(events.some(({ name }) => name.startsWith("Add_"))).toBe(true);
    }));
});
