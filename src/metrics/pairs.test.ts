import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { describe, expect, it } from "vitest";
import { picture } from "../../test/support/pictures.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { OptionError } from "../errors.js";
import type { RgbImage } from "./image.js";
import { pairFolders, readPairs, readPicture, requireEqualSizes } from "./pairs.js";

const IMAGE = picture(6, 4, (x, y, colour) => 30 * x + 10 * y + colour);

function encoder({ width, height, data }: RgbImage): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** Two folders with empty files of these names. */
async function folders(folder: string, a: readonly string[], b: readonly string[]): Promise<[string, string]> {
  const paths: [string, string] = [join(folder, "a"), join(folder, "b")];
  for (const [i, names] of [a, b].entries()) {
    await mkdir(paths[i]!);
    for (const name of names) await writeFile(join(paths[i]!, name), "");
  }
  return paths;
}

const refused = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

describe("pairFolders", () => {
  it("pairs pictures by name, whatever their endings, in the order of their names, and passes other files over", () =>
    inTemporaryFolder(async (folder) => {
      const [a, b] = await folders(folder, ["2.png", "10.jpg", "manifest.json"], ["10.webp", "2.PNG", "notes.txt"]);
      await mkdir(join(a, "3.png"));
      expect(await pairFolders(a, b)).toEqual([
        { name: "10", a: join(a, "10.jpg"), b: join(b, "10.webp") },
        { name: "2", a: join(a, "2.png"), b: join(b, "2.PNG") },
      ]);
    }));

  it.each([
    [["1.png", "2.png"], ["1.png"], "a/2.png: has no partner in /b"],
    [["1.png"], ["0.png", "1.png", "3.png"], "b/0.png: has no partner in /a; nor have 1 more"],
    [["1.png", "1.jpg"], ["1.png"], "a/1.png: /a/1.jpg has the same name; pictures pair by their names"],
    [["1.png"], ["1.txt"], "b: no pictures (.png, .jpg, .jpeg, .webp) in this folder"],
  ])("refuses %j beside %j", (first, second, message) =>
    inTemporaryFolder(async (folder) => {
      const [a, b] = await folders(folder, first, second);
      const error = await refused(pairFolders(a, b));
      expect(error).toBeInstanceOf(OptionError);
      expect((error as Error).message.replaceAll(`${folder}/`, "/")).toBe(`/${message}`);
    }),
  );

  it("refuses what is no folder", () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, "file");
      await writeFile(file, "");
      await expect(pairFolders(join(folder, "none"), folder)).rejects.toThrow(
        `${join(folder, "none")}: no such folder`,
      );
      await expect(pairFolders(file, folder)).rejects.toThrow(`${file}: is not a folder`);
    }));
});

describe("readPicture", () => {
  it("gives the levels as they are stored: grey widened, transparency dropped, no colour profile applied", () =>
    inTemporaryFolder(async (folder) => {
      const file = (name: string): string => join(folder, name);
      await encoder(IMAGE).png().toFile(file("plain.png"));
      const red = picture(6, 4, (_x, _y, colour) => (colour === 0 ? 240 : 20));
      await encoder(red).withIccProfile("p3", { attach: true }).png().toFile(file("profile.png"));
      await encoder(IMAGE).ensureAlpha(0.5).webp({ lossless: true, exact: true }).toFile(file("clear.webp"));
      const greys = Uint8Array.from({ length: 24 }, (_, i) => 10 * i);
      await sharp(greys, { raw: { width: 6, height: 4, channels: 1 } }).toFile(file("grey.png"));
      for (const name of ["plain.png", "clear.webp"]) expect(await readPicture(file(name))).toEqual(IMAGE);
      expect(await readPicture(file("grey.png"))).toEqual(picture(6, 4, (x, y) => 10 * (6 * y + x)));
      // Display P3 writes this red as (219, 54, 40); with the profile applied it would be (240, 20, 20) again.
      const [stored, green] = (await readPicture(file("profile.png"))).data;
      expect(stored).toBeLessThan(230);
      expect(green).toBeGreaterThan(40);
    }));

  it("refuses what is no picture, by its name", () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, "1.png");
      await writeFile(file, "not a picture");
      await expect(readPicture(file)).rejects.toThrow(new OptionError(`${file}: cannot be read as a picture`));
    }));
});

describe("readPairs", () => {
  it("gives the pairs in order and stops when it is told to", () =>
    inTemporaryFolder(async (folder) => {
      const [a, b] = await folders(folder, [], []);
      for (const name of ["1.png", "2.png", "3.png"])
        for (const one of [a, b]) await encoder(IMAGE).toFile(join(one, name));
      const files = await pairFolders(a, b);
      const names: string[] = [];
      for await (const { name, pictures } of readPairs(files)) {
        names.push(name);
        expect(pictures).toEqual({ a: IMAGE, b: IMAGE });
      }
      expect(names).toEqual(["1", "2", "3"]);
      const controller = new AbortController();
      const stopped = async (): Promise<void> => {
        for await (const { name } of readPairs(files, controller.signal)) {
          expect(name).toBe("1");
          controller.abort(new Error("stop"));
        }
      };
      await expect(stopped()).rejects.toThrow("stop");
    }));

  it("tells of an unreadable picture only when it comes to it", () =>
    inTemporaryFolder(async (folder) => {
      const [a, b] = await folders(folder, ["2.png"], ["2.png"]);
      for (const one of [a, b]) await encoder(IMAGE).toFile(join(one, "1.png"));
      const pairs = readPairs(await pairFolders(a, b));
      expect((await pairs.next()).value).toMatchObject({ name: "1" });
      await expect(pairs.next()).rejects.toThrow(`${join(a, "2.png")}: cannot be read as a picture`);
    }));
});

it("requireEqualSizes names both files and sizes", () => {
  const pair = { name: "1", a: "a/1.png", b: "b/1.png", pictures: { a: IMAGE, b: picture(4, 6, () => 0) } };
  expect(() => requireEqualSizes(pair)).toThrow(
    new OptionError("b/1.png: 4x6 pixels, but a/1.png has 6x4; pairs must have equal sizes"),
  );
});
