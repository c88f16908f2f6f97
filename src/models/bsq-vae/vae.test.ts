import { describe, expect, it } from "vitest";
import { ModelError, OptionError } from "../../errors.js";
import { zeros } from "./feature-map.js";
import type { RgbImages } from "./image.js";
import { Vae } from "./vae.js";

const CONFIG = { bits: 16, base: 32, multipliers: [1, 1, 2], blocks: 2, stride: 4 };

/** A VAE without weights: whatever is refused must be refused before any is asked for. */
function emptyVae(): Vae {
  const lookup = (name: string): never => {
    throw new ModelError(`tensor ${name} is missing`);
  };
  return new Vae(CONFIG, lookup, { device: "cpu" });
}

const image = (width: number, height: number): RgbImages => ({
  batch: 1,
  width,
  height,
  data: new Uint8Array(width * height * 3),
});

describe("Vae", () => {
  it("refuses codes of another VAE", async () => {
    await expect(emptyVae().decode(zeros(1, 14, { height: 2, width: 2 }))).rejects.toThrow(
      new ModelError("a VAE of 16 bits cannot decode codes of 14 bits"),
    );
  });

  it("refuses images that the schedule or the stride does not fit", async () => {
    const vae = emptyVae();
    const maps = [{ height: 2, width: 3 }];
    await expect(vae.encode(image(8, 12), maps)).rejects.toThrow(
      new OptionError("image 8x12: this schedule takes 12x8 pixels"),
    );
    await expect(vae.features(image(8, 10))).rejects.toThrow(
      new OptionError("image 8x10: sides must be multiples of 4 pixels"),
    );
  });

  it("names a missing tensor each time it is asked, and is disposed of all the same", async () => {
    const vae = emptyVae();
    const message = "tensor decoder.conv_in.conv.weight is missing";
    const codes = zeros(1, 16, { height: 1, width: 1 });
    await expect(vae.decode(codes)).rejects.toThrow(new ModelError(message));
    await expect(vae.decode(codes)).rejects.toThrow(new ModelError(message));
    await vae.dispose();
  });

  it("disposes of nothing where nothing was loaded", async () => {
    await expect(emptyVae().dispose()).resolves.toBeUndefined();
  });
});
