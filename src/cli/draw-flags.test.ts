import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { describe, expect, it, vi } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { addDrawFlags, checkWeightsCache, drawOptions, pipelineOptions, type DrawFlags } from "./draw-flags.js";

/** The flags as a command would see them. */
function parse(...args: string[]): DrawFlags {
  const command = addDrawFlags(new Command().exitOverride().configureOutput({ writeErr: () => undefined }), "a-model");
  return command.parse(args, { from: "user" }).opts<DrawFlags>();
}

describe("drawing flags", () => {
  it("leaves everything to the engine but the model and the device", async () => {
    expect(drawOptions(parse())).toEqual({});
    expect(parse().model).toBe("a-model");
    expect(await pipelineOptions(parse())).toEqual({ device: "cpu" });
  });

  it("passes every drawing flag on", () => {
    const args = "--seed 7 --pixels 0.25M --ratio 1.5 --guidance 1,2 --guidance-layer 0,-2 --temperature 0.5 --top-k 1";
    const flags = parse(...args.split(" "), "--top-p", "0.9", "--negative", "blurry", "--positive-prompt");
    expect(drawOptions(flags)).toEqual({
      seed: 7,
      pixels: "0.25M",
      ratio: 1.5,
      guidance: [1, 2],
      guidanceLayers: [0, -2],
      temperature: 0.5,
      topK: 1,
      topP: 0.9,
      negative: "blurry",
      positivePrompt: true,
    });
    expect(drawOptions(parse("--size", "768x512")).size).toEqual({ width: 768, height: 512 });
  });

  it("keeps weights on disk unless told not to", async () => {
    expect((await pipelineOptions(parse("--weights", "q8"))).weightsCache).toBeUndefined();
    expect((await pipelineOptions(parse("--no-weights-cache"))).weightsCache).toBe(false);
  });

  it("refuses a place or a limit for kept weights that cannot be, where they would be kept", () =>
    inTemporaryFolder(async (folder) => {
      const check = (...args: string[]): Promise<void> => checkWeightsCache(parse(...args));
      try {
        vi.stubEnv("SCALEKV_CACHE", join(folder, "cache"));
        vi.stubEnv("SCALEKV_CACHE_LIMIT", "12");
        for (const type of ["q8", "q4", "w8a8"]) {
          await expect(check("--weights", type)).rejects.toThrow("SCALEKV_CACHE_LIMIT 12: not a size");
        }
        for (const type of ["fp32", "fp16"]) await check("--weights", type);
        await check();
        await check("--weights", "q8", "--no-weights-cache");
        vi.stubEnv("SCALEKV_CACHE_LIMIT", "0");
        await check("--weights", "q8");
        expect(await readdir(folder)).toEqual([]);
        vi.stubEnv("SCALEKV_CACHE_LIMIT", "");
        await check("--weights", "q8");
        vi.stubEnv("SCALEKV_CACHE", "/dev/null");
        await expect(check("--weights", "q8")).rejects.toThrow(
          "/dev/null/weights: weights cannot be kept there (ENOTDIR)",
        );
      } finally {
        vi.unstubAllEnvs();
      }
    }));

  it("passes every loading flag on", async () => {
    const flags = parse("--device", "webgpu", "--vae", "v.pth", "--text-encoder", "t5", "--threads", "2");
    expect(await pipelineOptions(flags)).toEqual({ device: "webgpu", vae: "v.pth", textEncoder: "t5", threads: 2 });
  });

  it("passes the cache's flags on, a budget as it is written", async () => {
    const flags = parse("--policy", "scalekv", "--budget", "10%", "--scoring", "paper", "--storage", "int8");
    const cache = { policy: "scalekv", budget: "10%", scoring: "paper", storage: "int8" };
    expect((await pipelineOptions(flags)).cache).toEqual(cache);
  });

  it("leaves the model's own calibration to the engine, unless told to do without", async () => {
    expect((await pipelineOptions(parse("--policy", "scalekv", "--budget", "10%"))).cache?.calibration).toBeUndefined();
    expect((await pipelineOptions(parse("--no-calibration"))).cache?.calibration).toBeNull();
  });

  it("says in one line which budget file cannot be read", async () => {
    const flags = parse("--policy", "scalekv", "--budget", "nowhere.json");
    await expect(pipelineOptions(flags)).rejects.toThrow("--budget nowhere.json: cannot be read (ENOENT)");
  });

  it.each([
    ["--seed 1.5", /--seed 1\.5: not a whole number/],
    ["--ratio 9", /--ratio 9: not a number from 0\.125 to 8/],
    ["--temperature 0", /--temperature 0: not a number from 0\.01 to 100/],
    ["--guidance-layer 1", /--guidance-layer 1: not a whole number from -48 to 0/],
    ["--top-p 1.1", /--top-p 1\.1: not a number from 0 to 1/],
    ["--threads 0", /--threads 0: not a whole number from 1/],
    ["--device tpu", /'tpu' is invalid\. Allowed choices are cpu, webgpu, cuda/],
    ["--pixels 2M", /'2M' is invalid\. Allowed choices are 0\.06M, 0\.25M, 0\.60M, 1M/],
    ["--size 512x512 --ratio 2", /'--size <WxH>' cannot be used with option '--ratio <r>'/],
    ["--size 512x512 --pixels 1M", /'--size <WxH>' cannot be used with option '--pixels <class>'/],
  ])("refuses %s", (args, message) => {
    expect(() => parse(...args.split(" "))).toThrow(message);
  });
});
