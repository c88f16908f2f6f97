/** What `scalekv trace` says to a case it cannot run. Cases it can run are in test/parity. */
import { access, readdir, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { writeSafetensors, type WritableTensor } from "../../src/checkpoint/write-safetensors.js";
import { CheckpointError, ModelError, OptionError } from "../../src/errors.js";
import { traceCase } from "../../src/generate/trace.js";
import { GOLDEN } from "../support/golden.js";
import { inTemporaryFolder } from "../support/temporary.js";

const FORCED = {
  ...{ kind: "forced", pn: "0.06M", h_div_w: 1, batch: 1, guidance: 3, tau: 1 },
  ...{ cfg_insertion_layer: [0], scalekv: null },
};
const GREEDY = { ...FORCED, kind: "greedy" };

function zeros(...shape: number[]): WritableTensor {
  return { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
}

/** What a case that holds `json` and, unless there are none, `tensors` is refused with; nothing may be written. */
async function refusal(
  json: string | object | undefined,
  tensors?: Readonly<Record<string, WritableTensor>>,
  model = "tiny",
): Promise<Error> {
  return inTemporaryFolder(async (folder) => {
    const text = typeof json === "string" ? json : JSON.stringify(json);
    if (json !== undefined) await writeFile(join(folder, "case.json"), text);
    if (tensors) await writeSafetensors(join(folder, "case.safetensors"), Object.entries(tensors));
    const out = join(folder, "out.safetensors");
    const error = await traceCase(model, folder, out).then(
      () => new Error("the case ran"),
      (reason: unknown) => reason as Error,
    );
    await expect(access(out)).rejects.toThrow("ENOENT");
    error.message = error.message.replaceAll(folder, "CASE");
    return error;
  });
}

it.each<[string, string | object | undefined, string]>([
  ["that is not there", undefined, "cannot be read (ENOENT)"],
  ["that is not JSON", "<html>\n<body>", "is not JSON"],
  ["that is no object", "[]", "Invalid input: expected object, received array"],
  [
    "of an unknown kind",
    { ...FORCED, kind: "free" },
    "kind Invalid discriminator value. Expected 'forced' | 'greedy' | 'selection' | 't5'",
  ],
  ["of an unknown size", { ...FORCED, pn: "4K" }, 'pn Invalid option: expected one of "0.06M"|"0.25M"|"0.60M"|"1M"'],
  ["of no image", { ...FORCED, batch: 0 }, "batch Too small: expected number to be >0"],
  [
    "with a word among numbers",
    { ...FORCED, cfg_insertion_layer: [0, "last"] },
    "cfg_insertion_layer 1 Invalid input: expected number, received string",
  ],
  [
    "with a compressed cache of no sizes",
    { ...FORCED, scalekv: {} },
    "scalekv cache_sizes Invalid input: expected array, received undefined",
  ],
])("refuses a case.json %s", async (_, json, reason) => {
  expect(await refusal(json, {})).toEqual(new OptionError(`CASE/case.json: ${reason}`));
});

it("refuses a case without tensors", async () => {
  const message = "CASE/case.safetensors: no such file or folder, or no permission to see it";
  expect(await refusal(FORCED)).toEqual(new CheckpointError(message));
});

it.each<[string, object, Readonly<Record<string, WritableTensor>>, Error]>([
  ["no forced bits", FORCED, {}, new ModelError("CASE/case.safetensors: tensor bits.0 is missing")],
  [
    "forced bits of another shape",
    FORCED,
    { "bits.0": zeros(1, 1, 1, 15) },
    new OptionError("bits.0: [1, 1, 1, 15], expected [1, 1, 1, 16]"),
  ],
  ["no text", GREEDY, {}, new ModelError("CASE/case.safetensors: tensor text.0 is missing")],
  [
    "a text of another encoder",
    GREEDY,
    { "text.0": zeros(3, 128) },
    new OptionError("text.0: [3, 128], expected [tokens, 256]"),
  ],
  [
    "an empty negative text",
    GREEDY,
    { "text.0": zeros(3, 256), "negative.0": zeros(0, 256) },
    new OptionError("negative.0: [0, 256], expected [tokens, 256]"),
  ],
  [
    "a list of another length",
    { ...GREEDY, guidance: [1, 2] },
    {},
    new OptionError("guidance: 2 values for 7 scales; give one, or one for each scale"),
  ],
])("refuses a case with %s", async (_, json, tensors, error) => {
  expect(await refusal(json, tensors)).toEqual(error);
});

it("refuses a case of a text encoder without ids", async () => {
  const model = join(GOLDEN, "models/t5");
  const error = new ModelError("CASE/case.safetensors: tensor ids.0 is missing");
  expect(await refusal({ kind: "t5" }, {}, model)).toEqual(error);
});

it.runIf(process.platform === "linux")("leaves no file of the model open", async () => {
  await refusal(FORCED, { "bits.0": zeros(1, 1, 1, 15) });
  const open = (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "closed"));
  expect((await Promise.all(open)).filter((path) => path.includes("models/tiny"))).toEqual([]);
});
