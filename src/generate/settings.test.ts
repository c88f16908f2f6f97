import { describe, expect, it } from "vitest";
import { OptionError } from "../errors.js";
import type { ModelDefaults } from "../models/catalogue.js";
import { imageSize } from "../models/infinity/schedule.js";
import { resolveSettings, type Settings } from "./settings.js";
import type { DrawOptions } from "./types.js";

const DEFAULTS: ModelDefaults = { pixels: "0.25M", guidance: 3, temperature: 0.5 };

function resolve(options: DrawOptions = {}, images = 1): Settings {
  return resolveSettings(options, DEFAULTS, { images, depth: 4 });
}

describe("resolveSettings", () => {
  it("fills in the model's defaults and the published limits, one value a scale and a seed an image", () => {
    const { schedule, ...rest } = resolve({}, 2);
    expect({ ratio: schedule.ratio, pixels: schedule.pixels }).toEqual({ ratio: 1, pixels: "0.25M" });
    expect(rest).toEqual({
      guidance: new Array<number>(10).fill(3),
      guided: true,
      guideLogits: true,
      guideAfter: new Set(),
      temperature: new Array<number>(10).fill(0.5),
      limits: { topK: 900, topP: 0.97 },
      seeds: [0, 0],
    });
  });

  it("takes a list with one value a scale", () => {
    const guidance = [1, 2, 3, 4, 5, 6, 7];
    const temperature = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];
    expect(resolve({ pixels: "0.06M", guidance, temperature })).toMatchObject({ guidance, temperature, guided: true });
  });

  it("runs unconditional rows only where some scale is guided", () => {
    expect(resolve({ guidance: 1 }).guided).toBe(false);
    expect(resolve({ guidance: 0 }).guided).toBe(true);
    expect(resolve({ pixels: "0.06M", guidance: [1, 1, 1, 1, 1, 1, 2] }).guided).toBe(true);
  });

  it("takes the schedule from a size, or from pixels and ratio", () => {
    expect(imageSize(resolve({ size: { width: 330, height: 190 } }).schedule)).toEqual({ width: 336, height: 192 });
    const small = resolveSettings({ size: { width: 128, height: 128 } }, DEFAULTS, {
      images: 1,
      depth: 4,
      tokenPixels: 8,
    });
    expect([small.schedule.pixels, imageSize(small.schedule, 8)]).toEqual(["0.06M", { width: 128, height: 128 }]);
    expect(resolve({ pixels: "1M", ratio: 1.4 }).schedule).toMatchObject({ pixels: "1M", ratio: 1.333 });
  });

  it("gives every image its seed", () => {
    expect(resolve({ seed: 5 }, 3).seeds).toEqual([5, 5, 5]);
    expect(resolve({ seed: [0, 2 ** 32 - 1] }, 2).seeds).toEqual([0, 2 ** 32 - 1]);
  });

  it("counts guidance layers from the last", () => {
    expect(resolve({ guidanceLayers: [-1, -3] })).toMatchObject({ guideLogits: false, guideAfter: new Set([3, 1]) });
    expect(resolve({ guidanceLayers: [0, -2] })).toMatchObject({ guideLogits: true, guideAfter: new Set([2]) });
    expect(resolve({ guidanceLayers: [] })).toMatchObject({ guideLogits: false, guideAfter: new Set() });
  });

  it.each<[DrawOptions, string]>([
    [{ guidance: [1, 2, 3] }, "guidance: 3 values for 10 scales; give one, or one for each scale"],
    [{ temperature: [] }, "temperature: 0 values for 10 scales; give one, or one for each scale"],
    [{ guidance: -0.5 }, "guidance -0.5: must be from 0 to 100"],
    [{ guidance: 101 }, "guidance 101: must be from 0 to 100"],
    [{ guidance: NaN }, "guidance NaN: must be from 0 to 100"],
    [{ temperature: 0 }, "temperature 0: must be from 0.01 to 100"],
    [{ pixels: "0.06M", temperature: [1, 1, 1, 1, 1, 1, 200] }, "temperature 200: must be from 0.01 to 100"],
    [{ topK: -1 }, "top-k -1: must be from 0 to 2147483648"],
    [{ topK: 1.5 }, "top-k 1.5: must be a whole number"],
    [{ topP: 1.01 }, "top-p 1.01: must be from 0 to 1"],
    [{ seed: -1 }, "seed -1: must be from 0 to 4294967295"],
    [{ seed: 2 ** 32 }, "seed 4294967296: must be from 0 to 4294967295"],
    [{ seed: 0.5 }, "seed 0.5: must be a whole number"],
    [{ seed: [1, 2] }, "seed: 2 values for 1 prompts; give one, or one for each prompt"],
    [{ guidanceLayers: [1] }, "guidance layer 1: must be 0 (the logits) or from -3 to -1"],
    [{ guidanceLayers: [0, -4] }, "guidance layer -4: must be 0 (the logits) or from -3 to -1"],
    [{ guidanceLayers: [-1.5] }, "guidance layer -1.5: must be 0 (the logits) or from -3 to -1"],
    [{ ratio: 9 }, "ratio 9: height / width must lie between 0.125 and 8"],
    [{ size: { width: 512, height: 32 } }, "size 512x32: the height must be a whole number from 64 to 4096 pixels"],
    [{ size: { width: 512, height: 512 }, ratio: 1 }, "size: cannot be given together with pixels or ratio"],
    [{ size: { width: 512, height: 512 }, pixels: "1M" }, "size: cannot be given together with pixels or ratio"],
  ])("refuses %j in one line", (options, message) => {
    expect(() => resolve(options)).toThrow(new OptionError(message));
  });

  it("refuses a size class from plain JavaScript that is none", () => {
    const options = { pixels: "2M" } as unknown as DrawOptions;
    expect(() => resolve(options)).toThrow(new OptionError("pixels 2M: not one of 0.06M, 0.25M, 0.60M, 1M"));
  });
});
