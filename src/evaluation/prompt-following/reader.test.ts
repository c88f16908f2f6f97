import { beforeAll, describe, expect, it } from "vitest";
import type { RgbImage } from "../../metrics/image.js";
import type { Art, Scene } from "./art.js";
import { readArt } from "./art-folder.js";
import { SceneReader, type Reading } from "./reader.js";
import { renderScene } from "./render.js";

const SIDE = 64;
let art: Art;
let reader: SceneReader;

beforeAll(async () => {
  art = (await readArt("models/stickers/checker"))!;
  reader = new SceneReader(art, SIDE);
});

const CAT: Scene = {
  ...{ kind: "one", names: ["cat face"], count: 1, relation: null, style: "flat", background: ["blue"] },
};

function read(scene: Partial<Scene>): Reading {
  return reader.read(renderScene(art, { ...CAT, ...scene }, SIDE));
}

/** Mixes a picture with another one, level by level. */
function mixed(a: RgbImage, b: RgbImage, level: (a: number, b: number, x: number, y: number) => number): RgbImage {
  const data = a.data.map((one, i) => {
    const pixel = Math.floor(i / 3);
    return Math.round(level(one, b.data[i]!, pixel % SIDE, Math.floor(pixel / SIDE)));
  });
  return { ...a, data };
}

describe("a composed scene is read as what it is", () => {
  it("every object in every style", () => {
    const wrong = art.drawings.filter(({ name, style }) => {
      const { objects, clear } = read({ names: [name], style });
      return !(clear && objects.length === 1 && objects[0]!.name === name && objects[0]!.style === style);
    });
    expect(wrong.map(({ name, style }) => `${style} ${name}`)).toEqual([]);
  });

  it.each([2, 3, 4])("%i of a kind", (count) => {
    const { objects, clear } = read({ kind: "some", count });
    expect(clear).toBe(true);
    expect(objects.map(({ name }) => name)).toEqual(new Array(count).fill("cat face"));
  });

  it.each(["left of", "above"] as const)("one %s another", (relation) => {
    const reading = read({ kind: "two", names: ["rocket", "cloud"], relation });
    expect(reading).toMatchObject({ relation, clear: true, objects: [{ name: "rocket" }, { name: "cloud" }] });
  });

  it("every background, and gradients from top to bottom", () => {
    const colours = [...art.colours.keys()];
    for (const colour of colours) expect(read({ background: [colour] }).background).toEqual([colour]);
    for (const [i, colour] of colours.entries()) {
      const ends = [colour, colours[(i + 5) % colours.length]!];
      expect(read({ background: ends }).background).toEqual(ends);
    }
  });

  it("whatever the pictures' size", () => {
    for (const side of [32, 50]) {
      const reading = new SceneReader(art, side).read(renderScene(art, { ...CAT, kind: "some", count: 3 }, side));
      expect(reading).toMatchObject({ clear: true, objects: new Array(3).fill({ name: "cat face", style: "flat" }) });
    }
  });
});

describe("what is no scene is unclear", () => {
  const picture = (scene: Partial<Scene>): RgbImage => renderScene(art, { ...CAT, ...scene }, SIDE);

  it("a background alone", () => {
    const cat = picture({});
    const corner = cat.data.slice(0, 3);
    const empty = mixed(cat, cat, () => 0);
    empty.data.forEach((_, i) => (empty.data[i] = corner[i % 3]!));
    expect(reader.read(empty)).toMatchObject({ clear: false, background: ["blue"] });
  });

  it("a grey disc on any background", () => {
    for (const background of art.colours.keys()) {
      const cat = picture({ background: [background] });
      const ground = [...cat.data.slice(0, 3)];
      const inDisc = (x: number, y: number): boolean => Math.hypot(x - SIDE / 2, y - SIDE / 2) < SIDE / 3;
      const data = cat.data.map((_, i) => {
        const pixel = Math.floor(i / 3);
        return inDisc(pixel % SIDE, Math.floor(pixel / SIDE)) ? 128 : ground[i % 3]!;
      });
      expect([background, reader.read({ ...cat, data }).clear]).toEqual([background, false]);
    }
  });

  it("two objects in one", () => {
    const half = mixed(picture({}), picture({ names: ["rocket"] }), (a, b) => (a + b) / 2);
    expect(reader.read(half).clear).toBe(false);
    const split = mixed(picture({}), picture({ names: ["hamburger"] }), (a, b, x) => (x < SIDE / 2 ? a : b));
    expect(reader.read(split).clear).toBe(false);
  });

  it("something beside the objects, and an object that is wiped out", () => {
    const two = picture({ kind: "some", count: 2, names: ["star"] });
    const above = (x: number, y: number): boolean => Math.abs(x / SIDE - 0.5) < 0.15 && Math.abs(y / SIDE - 0.15) < 0.1;
    expect(reader.read(two).clear).toBe(true);
    expect(reader.read(mixed(two, two, (a, _, x, y) => (above(x, y) ? 255 : a))).clear).toBe(false);
    const four = picture({ kind: "some", count: 4, names: ["star"] });
    const wiped = mixed(four, picture({}), (a, _, x, y) => (x > SIDE / 2 && y > SIDE / 2 ? four.data[0]! : a));
    expect(reader.read(wiped).clear).toBe(false);
  });

  it("noise", () => {
    const noise = mixed(
      picture({}),
      picture({}),
      (a, _, x, y) => Math.imul(x * 7919 + y * 104729 + a, 2654435761) >>> 24,
    );
    expect(reader.read(noise)).toMatchObject({ clear: false, background: undefined });
  });
});

describe("refuses with one line", () => {
  it("a picture of another size, and one too small", () => {
    const small = { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3) };
    expect(() => reader.read(small)).toThrow("a picture of 16x16 among those of 64x64");
    expect(() => new SceneReader(art, 16)).toThrow("pictures of 16x16: 32x32 at least can be checked");
  });
});
