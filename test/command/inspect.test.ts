/** `scalekv inspect` and `scalekv download` as a user runs them. */
import { describe, expect, it, vi } from "vitest";
import { publishedShapes, writeSparse } from "../support/manifests.js";
import { scalekv } from "../support/command.js";
import { startHub } from "../support/hub-server.js";
import { inTemporaryFolder } from "../support/temporary.js";

describe("scalekv inspect", () => {
  it("lists a file's tensors, adds them up and names the model", async () => {
    const { code, stdout, stderr } = await scalekv("inspect", "test/golden/models/patchify/vae.pth");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("test/golden/models/patchify/vae.pth (torch-zip)\n");
    expect(stdout).toContain("model: BSQ-VAE of its own size (14 bits, stride 8)\nnested under: vae\n");
    expect(stdout).toMatch(/^vae\.decoder\.conv_in\.conv\.weight +f32 +\[64, 14, 3, 3\] +32256$/m);
    expect(stdout).toMatch(/^f32 +220 tensors +1375473 elements +5\.2 MiB$/m);
  });

  it("gives the same as JSON, of every checkpoint in a folder", async () => {
    const { code, stdout } = await scalekv("inspect", "test/golden/models/patchify", "--json");
    expect(code).toBe(0);
    const { checkpoints } = JSON.parse(stdout) as {
      checkpoints: { path: string; tensors: object[]; totals: object }[];
    };
    expect(checkpoints.map(({ path }) => path.split("/").at(-1))).toEqual(["infinity.pth", "vae.pth"]);
    expect(checkpoints[0]).toMatchObject({
      format: "torch-zip",
      model: "Infinity transformer of its own size (depth 4, width 128, 4 heads, 56 bits a token)",
      nestings: [],
      totals: { f32: { tensors: 106, elements: 1478400, bytes: 5913600 } },
    });
    expect(checkpoints[0]?.tensors[0]).toEqual({ name: "cfg_uncond", dtype: "f32", shape: [512, 256], bytes: 524288 });
  });

  it("knows a published model by its sizes, and says why it refuses one it does not run", () =>
    inTemporaryFolder(async (folder) => {
      const { transformer } = publishedShapes("infinity_2b");
      await writeSparse(`${folder}/a.safetensors`, transformer);
      await writeSparse(`${folder}/b.safetensors`, [...transformer, ["class_emb.weight", [1001, 2048]]]);
      const { stdout } = await scalekv("inspect", folder);
      expect(stdout.match(/^model: .*/gm)).toEqual([
        "model: Infinity 2B (depth 32, width 2048, 16 heads, 32 bits a token)",
        `model: ${folder}/b.safetensors: a class-conditional model (VAR) is not supported (tensor class_emb.weight)`,
      ]);
    }));

  it.each([
    ["test/golden/cases/none", /^scalekv: test\/golden\/cases\/none: no such file or folder/],
    ["test/golden/manifests", /^scalekv: test\/golden\/manifests: no checkpoint in this folder\n$/],
    [
      "test/golden/checkpoints/truncated.safetensors",
      /^scalekv: test\/golden\/checkpoints\/truncated\.safetensors: [^\n]+\n$/,
    ],
  ])("refuses %s with one line", async (path, line) => {
    const { code, stdout, stderr } = await scalekv("inspect", path);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(line);
  });
});

describe("scalekv download", () => {
  it("refuses a name that is not published", async () => {
    expect(await scalekv("download", "infinity-3b")).toEqual({
      code: 2,
      stdout: "",
      stderr:
        "scalekv: infinity-3b: no published model has this name (infinity-2b, infinity-8b, infinity-8b-512, infinity-125m, flan-t5-xl)\n",
    });
  });

  it("says in one line that nobody answers", () =>
    inTemporaryFolder(async (cache) => {
      const hub = await startHub({});
      await hub.close();
      vi.stubEnv("HF_ENDPOINT", hub.endpoint);
      vi.stubEnv("HF_HUB_CACHE", cache);
      const { code, stderr } = await scalekv("download", "infinity-2b");
      const twoNames = await scalekv("download", "infinity-2b", "infinity-3b");
      vi.unstubAllEnvs();
      expect(code).toBe(2);
      // Nobody is asked for the first while the second is wrong.
      expect(twoNames.stderr).toMatch(/^scalekv: infinity-3b: no published model has this name /);
      expect(stderr).toMatch(/^scalekv: \S+: no answer from http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)\n$/);
    }));
});
