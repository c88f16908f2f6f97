/** What `scalekv trace` says to a case it cannot run. Cases it can run are in test/parity. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { writeSafetensors, type WritableTensor } from "../../src/checkpoint/write-safetensors.js";
import { CheckpointError, ModelError, OptionError } from "../../src/errors.js";
import { traceCase } from "../../src/generate/trace.js";
import { inTemporaryFolder } from "../support/temporary.js";

const FORCED = {
  ...{ kind: "forced", pn: "0.06M", h_div_w: 1, batch: 1, guidance: 3, tau: 1 },
  ...{ cfg_insertion_layer: [0], scalekv: null },
};
/** Features of a text of two tokens. */
const TEXT = { shape: [2, 256], data: new Float32Array(512) };

it.each<[string, string]>([
  ["not JSON", "{"],
  ["kind", JSON.stringify({ ...FORCED, kind: "free" })],
  ["pn", JSON.stringify({ ...FORCED, pn: "4K" })],
  ["batch", JSON.stringify({ ...FORCED, batch: 0 })],
  ["scalekv", JSON.stringify({ ...FORCED, scalekv: {} })],
  ["array", "[]"],
  ["t5 extra", JSON.stringify({ kind: "t5" })],
])("%s", async (_, json) => {
  await inTemporaryFolder(async (folder) => {
    await writeFile(join(folder, "case.json"), json);
    await traceCase("tiny", folder, join(folder, "out.safetensors")).catch((e: unknown) =>
      console.log("RES", String(e)),
    );
  });
});
it("more", async () => {
  const run = (json: object, tensors: Record<string, WritableTensor>) =>
    inTemporaryFolder(async (folder) => {
      await writeFile(join(folder, "case.json"), JSON.stringify(json));
      await writeSafetensors(join(folder, "case.safetensors"), Object.entries(tensors));
      await traceCase("tiny", folder, join(folder, "out.safetensors")).catch((e: unknown) =>
        console.log("RES", String(e)),
      );
    });
  await run(FORCED, {});
  await run(FORCED, { "bits.0": { shape: [1, 1, 1, 15], data: new Uint8Array(15) } });
  await run({ ...FORCED, kind: "greedy" }, {});
  await run({ ...FORCED, guidance: [1, 2] }, {});
  await run({ ...FORCED, kind: "greedy" }, { "text.0": { shape: [3], data: new Float32Array(3) } });
  await run({ kind: "t5" }, {});
  void [mkdir, expect, CheckpointError, ModelError, OptionError, TEXT];
});
