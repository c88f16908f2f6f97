import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { readPicture } from "../../metrics/pairs.js";
import type { Art, Scene } from "./art.js";
import { readArt } from "./art-folder.js";
import { renderScene } from "./render.js";

const scenes = JSON.parse(readFileSync("test/golden/scenes/scenes.json", "utf8")) as Scene[];
let art: Art;

beforeAll(async () => {
  art = (await readArt("models/stickers/checker"))!;
});

describe("renderScene", () => {
  it.each(scenes.map((scene, i) => [`${String(i).padStart(2, "0")}.png`, scene] as const))(
    "draws %s as the training does",
    async (file, scene) => {
      const expected = await readPicture(`test/golden/scenes/${file}`);
      const { data } = renderScene(art, scene, expected.width);
      const differences = data.map((level, i) => Math.abs(level - expected.data[i]!));
      // Sums in another order, in single precision there, end on either side of a half: one level at most, in a few places.
      expect(Math.max(...differences)).toBeLessThanOrEqual(1);
      expect(differences.filter((difference) => difference > 0).length / data.length).toBeLessThan(0.05);
    },
  );
});
