/** Giving up while an image is decoded, strip by strip. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { wave } from "../../../test/support/arrays.js";
import { storedTensor } from "../../../test/support/graph.js";
import { Session, type Tensors } from "../../runtime/session.js";
import { values, type Tensor } from "../../runtime/tensor.js";
import { lookupIn } from "../lookup.js";
import type { VaeConfig } from "./config.js";
import { zeros } from "./feature-map.js";
import { decoderSteps } from "./steps.js";
import { vaeTensors } from "./tensors.js";
import { Vae } from "./vae.js";

const CONFIG: VaeConfig = { bits: 16, base: 32, multipliers: [1, 2], blocks: 1, stride: 2 };
const CODES = zeros(2, CONFIG.bits, { height: 6, width: 2 });
/** Two rows of codes a strip. */
const STRIP_BYTES = 4 * 4 * (2 * CONFIG.base * 2) * 2;

afterEach(() => vi.restoreAllMocks());

async function withVae(work: (vae: Vae) => Promise<void>): Promise<void> {
  const tensors = [...vaeTensors(CONFIG)].map(
    ([name, shape], i) => [name, storedTensor(name, { shape, values: wave(shape, i).values })] as const,
  );
  const vae = new Vae(CONFIG, lookupIn(new Map(tensors), "memory"), { device: "cpu", stripBytes: STRIP_BYTES });
  try {
    await work(vae);
  } finally {
    await vae.dispose();
  }
}

/** Counts the runs, and the bytes of maps that nobody has freed. */
function watch(): { runs: () => number; held: () => number } {
  const maps: Tensor[] = [];
  let runs = 0;
  const run = Reflect.get(Session.prototype, "run");
  vi.spyOn(Session.prototype, "run").mockImplementation(async function (this: Session, feeds: Tensors) {
    runs++;
    const outputs = await run.call(this, feeds);
    for (const name of ["y", "rest", "keep"]) if (outputs[name]) maps.push(outputs[name]);
    return outputs;
  });
  return { runs: () => runs, held: () => maps.reduce((sum, map) => sum + values(map).length, 0) };
}

describe("a checkpoint while images are decoded", () => {
  it("is asked once a strip, of every step and image, and changes nothing", () =>
    withVae(async (vae) => {
      const without = await vae.decode(CODES);
      const { runs } = watch();
      let asked = 0;
      const found = await vae.decode(CODES, () => asked++);
      expect(Buffer.compare(found.data, without.data)).toBe(0);
      expect(asked).toBe(runs());
      // More than once a step: the images are decoded in strips.
      expect(asked).toBeGreaterThan(2 * CODES.batch * decoderSteps(CONFIG).length);
    }));

  it("stops where it throws, and nothing stays", () =>
    withVae(async (vae) => {
      const { runs, held } = watch();
      for (const last of [0, 1, 2, 30, 50]) {
        const before = runs();
        const checkpoint = (): void => {
          if (runs() - before === last) throw new Error("enough");
        };
        await expect(vae.decode(CODES, checkpoint)).rejects.toThrow("enough");
        expect(runs() - before).toBe(last);
        expect(held()).toBe(0);
      }
    }));

  it("is asked for previews too", () =>
    withVae(async (vae) => {
      const refuse = (): never => {
        throw new Error("enough");
      };
      await expect(vae.preview(CODES, refuse)).rejects.toThrow("enough");
    }));
});
