/** Model folders and names: what is found, what is refused, and in which words. Weights are holes in sparse files. */
import { execFileSync } from "node:child_process";
import { copyFile, cp, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { writeBudget } from "../../src/budget/budget-file.js";
import type { Budget } from "../../src/budget/budget.js";
import { readFloat32 } from "../../src/checkpoint/read.js";
import { BudgetError, ModelError } from "../../src/errors.js";
import { resolveModel } from "../../src/models/folder.js";
import { scheduleFor } from "../../src/models/infinity/schedule.js";
import { openTextEncoder } from "../../src/models/text-encoder.js";
import { t5Tensors } from "../../src/models/t5/tensors.js";
import { madeUpCalibration } from "../support/calibration.js";
import { publishedShapes, writeSparse } from "../support/manifests.js";
import { inTemporaryFolder } from "../support/temporary.js";

const TINY = "test/golden/models/tiny";
/** A model without a text encoder. */
const PATCHIFY = "test/golden/models/patchify";
const T5 = "test/golden/models/t5";
const withoutText = { textEncoder: false } as const;

afterEach(() => {
  vi.unstubAllEnvs();
});

/** A text encoder's folder: its configuration, and weights that are a hole. */
async function writeT5(folder: string, width: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const config = {
    model_type: "t5",
    d_model: width,
    d_kv: 64,
    d_ff: 2 * width,
    num_layers: 2,
    num_heads: 4,
    vocab_size: 100,
    feed_forward_proj: "gated-gelu",
  };
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  const sizes = { width, layers: 2, heads: 4, headDim: 64, hidden: 2 * width, vocabulary: 100 };
  const rest = { relativeBuckets: 32, relativeMaxDistance: 128, epsilon: 1e-6 };
  await writeSparse(join(folder, "model.safetensors"), t5Tensors({ ...sizes, ...rest }));
}

/** A repository in the layout of the Hugging Face cache: `links` are paths in the snapshot, their contents files elsewhere. */
async function writeSnapshot(cache: string, repo: string, links: Readonly<Record<string, string>>): Promise<void> {
  const folder = join(cache, `models--${repo.replace("/", "--")}`);
  const commit = "0123456789abcdef0123456789abcdef01234567";
  await mkdir(join(folder, "refs"), { recursive: true });
  await writeFile(join(folder, "refs", "main"), commit);
  for (const [path, target] of Object.entries(links)) {
    const link = join(folder, "snapshots", commit, path);
    await mkdir(dirname(link), { recursive: true });
    await symlink(target, link);
  }
}

describe("a folder", () => {
  it("gives the parts with the sizes its config.json was written with", async () => {
    const model = await resolveModel(TINY, withoutText);
    expect(model.infinity).toMatchObject({
      path: join(TINY, "infinity.pth"),
      config: { depth: 4, width: 128, patchify: false },
    });
    expect(model.vae.config).toEqual({ bits: 16, base: 32, multipliers: [1, 1, 2, 2, 2], blocks: 2, stride: 16 });
    expect(model.defaults.pixels).toBe("0.06M");
    const codes = model.vae.tensors.get("decoder.conv_in.conv.bias");
    expect(codes && (await readFloat32(codes))).toHaveLength(64);
    await model.close();
  });

  it("gives the patches of a patchify model", async () => {
    const model = await resolveModel(PATCHIFY, withoutText);
    expect(model.infinity.config).toMatchObject({ bits: 56, patchify: true });
    await model.close();
  });

  it("may be named by its transformer's file", async () => {
    const model = await resolveModel(join(TINY, "infinity.pth"), withoutText);
    expect(model.vae.path).toBe(join(TINY, "vae.pth"));
    await model.close();
  });

  it("finds the text encoder one folder below, and takes safetensors where a folder has both formats", () =>
    inTemporaryFolder(async (folder) => {
      await cp(PATCHIFY, folder, { recursive: true });
      await writeT5(join(folder, "flan"), 256);
      await copyFile(join(folder, "flan", "model.safetensors"), join(folder, "flan", "pytorch_model.bin"));
      const model = await resolveModel(folder);
      expect(model.textEncoder).toMatchObject({ folder: join(folder, "flan"), config: { width: 256, layers: 2 } });
      await model.close();
    }));

  it("has the calibration that lies beside the transformer, which must be of its sizes and whole", () =>
    inTemporaryFolder(async (folder) => {
      await cp(PATCHIFY, folder, { recursive: true });
      const path = join(folder, "infinity.calibration.json");
      const calibrationOf = async (): Promise<Budget | undefined> => {
        const model = await resolveModel(join(folder, "infinity.pth"), withoutText);
        await model.close();
        return model.calibration;
      };
      expect(await calibrationOf()).toBeUndefined();
      const { maps } = scheduleFor("0.06M");
      const own = madeUpCalibration({ model: { depth: 4, heads: 4, width: 128 }, maps });
      await writeBudget(path, own);
      expect(await calibrationOf()).toEqual(own);
      await writeBudget(path, madeUpCalibration({ model: { depth: 3, heads: 4, width: 128 }, maps }));
      const sizes = "made for depth 3, 4 heads, width 128; the model has depth 4, 4 heads, width 128";
      await expect(calibrationOf()).rejects.toThrow(new BudgetError(`${path}: ${sizes}`));
      // Another transformer's is not this one's.
      await rename(path, join(folder, "other.calibration.json"));
      expect(await calibrationOf()).toBeUndefined();
      await writeFile(path, "{");
      await expect(calibrationOf()).rejects.toThrow(new BudgetError(`${path}: is not JSON`));
    }));

  it("passes over a folder below that cannot be read, and names one that is asked for", () =>
    inTemporaryFolder(async (folder) => {
      await cp(PATCHIFY, folder, { recursive: true });
      await symlink("loop", join(folder, "loop"));
      await (await resolveModel(folder, withoutText)).close();
      const loop = join(folder, "loop");
      await expect(resolveModel(loop, withoutText)).rejects.toThrow(new ModelError(`${loop}: cannot be read (ELOOP)`));
      const long = "a".repeat(300);
      await expect(resolveModel(long)).rejects.toThrow(new ModelError(`${long}: cannot be read (ENAMETOOLONG)`));
    }));

  it("closes every file it opened", async () => {
    const model = await resolveModel(TINY, withoutText);
    await model.close();
    const tensor = model.infinity.tensors.get("pos_start");
    await expect(tensor && readFloat32(tensor)).rejects.toThrow();
  });

  it("is refused without a text encoder", async () => {
    await expect(resolveModel(PATCHIFY)).rejects.toThrow(
      /^test\/golden\/models\/patchify: no T5 text encoder; found .*infinity\.pth \(Infinity transformer\); /,
    );
  });

  it("is refused with a text encoder of another width", async () => {
    await expect(resolveModel(TINY, { textEncoder: T5 })).rejects.toThrow(
      /a wrong text encoder: its width is 64, the model needs 256$/,
    );
  });

  it("is refused with two transformers, both named", () =>
    inTemporaryFolder(async (folder) => {
      await cp(PATCHIFY, folder, { recursive: true });
      await copyFile(join(folder, "infinity.pth"), join(folder, "second.pth"));
      await expect(resolveModel(folder, withoutText)).rejects.toThrow(
        `${folder}: more than one Infinity transformer: ${join(folder, "infinity.pth")}, ${join(folder, "second.pth")}; name one`,
      );
    }));

  it("is refused when it is empty, or holds only what nobody can read, with the reason", () =>
    inTemporaryFolder(async (folder) => {
      await expect(resolveModel(folder)).rejects.toThrow(`${folder}: no Infinity transformer; found no checkpoint`);
      await writeFile(join(folder, "infinity.pth"), "<html>");
      await expect(resolveModel(folder)).rejects.toThrow(
        /no Infinity transformer; found .*infinity\.pth: neither a torch/,
      );
    }));

  it("may be given a part that is not beside it, which must be that part", async () => {
    await expect(resolveModel(TINY, { ...withoutText, vae: join(TINY, "infinity.pth") })).rejects.toThrow(
      /infinity\.pth: expected autoencoder \(VAE\), found Infinity transformer$/,
    );
    await expect(resolveModel(TINY, { ...withoutText, vae: "test/golden/models/patchify/vae.pth" })).rejects.toThrow(
      /patchify\/vae\.pth: a wrong VAE: its 14 bits do not make the 16 bits of a token of .*infinity\.pth$/,
    );
  });
});

describe("the embedded model", () => {
  it("is whole, and the default", async () => {
    const model = await resolveModel();
    expect(model.name).toBe("stickers");
    expect(model.defaults).toEqual({ pixels: "0.25M", guidance: 2, temperature: 0.5 });
    expect(model.textEncoder.config.width).toBe(model.infinity.config.textChannels);
    await model.close();
  });
});

describe("a folder of published files", () => {
  it("takes the one autoencoder that fits out of several", () =>
    inTemporaryFolder(async (folder) => {
      const { transformer, vae } = publishedShapes("infinity_2b");
      await writeSparse(join(folder, "infinity_2b_reg.pth"), transformer);
      for (const name of ["infinity_vae_d32.pth", "infinity_vae_d32reg.pth"])
        await writeSparse(join(folder, name), vae);
      await writeSparse(join(folder, "infinity_vae_d56.pth"), publishedShapes("infinity_8b").vae);
      const model = await resolveModel(folder, withoutText);
      expect(model.vae.path).toBe(join(folder, "infinity_vae_d32reg.pth"));
      expect(model.defaults).toEqual({ pixels: "1M", guidance: 4, temperature: 0.5 });
      await model.close();
    }));

  it("refuses the 2B model with infinity_vae_d32.pth, and names the right file", () =>
    inTemporaryFolder(async (folder) => {
      const { transformer, vae } = publishedShapes("infinity_2b");
      await writeSparse(join(folder, "infinity_2b_reg.pth"), transformer);
      await writeSparse(join(folder, "infinity_vae_d32.pth"), vae);
      await expect(resolveModel(folder, withoutText)).rejects.toThrow(
        /infinity_vae_d32\.pth: a wrong VAE: Infinity 2B works only with infinity_vae_d32reg\.pth$/,
      );
      await rename(join(folder, "infinity_vae_d32.pth"), join(folder, "notes.txt"));
      await expect(resolveModel(folder, withoutText)).rejects.toThrow(
        `${folder}: no autoencoder (VAE) (Infinity 2B works only with infinity_vae_d32reg.pth)`,
      );
    }));
});

describe("a name", () => {
  it("finds the 8B model, in shards, in the Hugging Face cache", () =>
    inTemporaryFolder(async (folder) => {
      vi.stubEnv("HF_HUB_CACHE", folder);
      const { transformer, vae } = publishedShapes("infinity_8b");
      const entries = [...transformer];
      const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] as const;
      // 16.7 GB as bf16: offsets beyond 4 GiB, and no byte on the disk but the headers.
      const first = await writeSparse(join(folder, shards[0]), entries.slice(0, 400));
      const second = await writeSparse(join(folder, shards[1]), entries.slice(400));
      expect(first + second).toBe(
        2 * [...transformer.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b), 0),
      );
      const weightMap = entries.map(([name], i) => [name, shards[i < 400 ? 0 : 1]]);
      const index = { metadata: {}, weight_map: Object.fromEntries(weightMap) as Record<string, string> };
      await writeFile(join(folder, "index.json"), JSON.stringify(index));
      await writeSparse(join(folder, "vae"), vae);
      await writeSnapshot(folder, "FoundationVision/Infinity", {
        "infinity_8b_weights/model.safetensors.index.json": join(folder, "index.json"),
        [`infinity_8b_weights/${shards[0]}`]: join(folder, shards[0]),
        [`infinity_8b_weights/${shards[1]}`]: join(folder, shards[1]),
        "infinity_vae_d56_f8_14_patchify.pth": join(folder, "vae"),
      });
      const model = await resolveModel("infinity-8b", withoutText);
      expect(model.infinity.config).toMatchObject({ depth: 40, width: 3584, heads: 28, bits: 56, patchify: true });
      expect(model.infinity.tensors.size).toBe(862);
      expect(model.defaults).toEqual({ pixels: "1M", guidance: 3, temperature: 1 });
      await model.close();
      await expect(resolveModel("infinity-8b")).rejects.toThrow(
        "infinity-8b: its text encoder google/flan-t5-xl is not downloaded yet; run: scalekv download flan-t5-xl",
      );
    }));

  it("takes the text encoder of a folder from the cache where FLAN-T5-XL's width is needed", () =>
    inTemporaryFolder(async (folder) => {
      vi.stubEnv("HF_HUB_CACHE", join(folder, "cache"));
      const { transformer, vae } = publishedShapes("infinity_2b");
      await mkdir(join(folder, "weights"));
      await writeSparse(join(folder, "weights", "model.pth"), transformer);
      await writeSparse(join(folder, "weights", "vae.pth"), vae);
      await writeT5(join(folder, "t5"), 2048);
      await writeSnapshot(join(folder, "cache"), "google/flan-t5-xl", {
        "config.json": join(folder, "t5", "config.json"),
        "model.safetensors": join(folder, "t5", "model.safetensors"),
      });
      const model = await resolveModel(join(folder, "weights"));
      expect(model.textEncoder.config.width).toBe(2048);
      await model.close();
    }));

  it("is refused with the command that gets its files", () =>
    inTemporaryFolder(async (folder) => {
      vi.stubEnv("HF_HUB_CACHE", folder);
      await expect(resolveModel("infinity-2b")).rejects.toThrow(
        "infinity-2b: infinity_2b_reg.pth is not downloaded yet; run: scalekv download infinity-2b",
      );
    }));

  it("is refused where nothing is called so", async () => {
    await expect(resolveModel("infinity-3b")).rejects.toThrow(
      "infinity-3b: neither a folder nor a model's name (stickers, tiny, infinity-2b, infinity-8b, infinity-8b-512, infinity-125m)",
    );
  });
});

describe("a text encoder's folder", () => {
  it("opens by itself", async () => {
    const encoder = await openTextEncoder(T5);
    expect(encoder).toMatchObject({ folder: T5, config: { width: 64, layers: 3, heads: 6, headDim: 16 } });
    expect(encoder.tensors.get("shared.weight")?.shape).toEqual([128, 64]);
    await encoder.close();
  });

  it("is refused without a readable config.json", () =>
    inTemporaryFolder(async (folder) => {
      await writeT5(folder, 64);
      await writeFile(join(folder, "config.json"), "{");
      await expect(openTextEncoder(folder)).rejects.toThrow(`${join(folder, "config.json")}: is not JSON`);
      await rm(join(folder, "config.json"));
      execFileSync("mkfifo", [join(folder, "config.json")]);
      await expect(openTextEncoder(folder)).rejects.toThrow(
        `${join(folder, "config.json")}: cannot be read (not a regular file)`,
      );
      await expect(openTextEncoder(join(folder, "none"))).rejects.toThrow("none: no such folder");
      await expect(openTextEncoder(PATCHIFY)).rejects.toThrow(`${PATCHIFY}: holds no T5 text encoder`);
    }));
});
