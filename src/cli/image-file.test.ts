import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { OptionError } from "../errors.js";
import type { DrawnImage } from "../generate/types.js";
import {
  checkSize,
  checkWritable,
  encodingOf,
  makeFolder,
  numberedFiles,
  previewFile,
  writeImage,
} from "./image-file.js";

/** 4 wide, 2 high, every level different, so that swapped axes or channels show. */
const IMAGE: DrawnImage = {
  width: 4,
  height: 2,
  data: Uint8Array.from({ length: 24 }, (_, i) => i * 10),
  prompt: "",
  seed: 0,
};

describe("encodingOf", () => {
  it.each([
    ["a.png", { format: "png", quality: 95 }],
    ["a.JPG", { format: "jpeg", quality: 95 }],
    ["a.b.jpeg", { format: "jpeg", quality: 95 }],
    ["a.webp", { format: "webp", quality: 95 }],
  ])("reads the ending of %s", (file, encoding) => {
    expect(encodingOf(file)).toEqual(encoding);
  });

  it("refuses other endings and a quality for PNG", () => {
    const endings = "the ending is not one of .png, .jpg, .jpeg, .webp";
    for (const file of ["a.gif", "png", ".png/a"]) {
      expect(() => encodingOf(file)).toThrow(new OptionError(`--out ${file}: ${endings}`));
    }
    expect(() => encodingOf("a.png", 80)).toThrow("--quality 80: a.png is a PNG, which is lossless");
    expect(encodingOf("a.jpg", 80).quality).toBe(80);
  });
});

describe("names of files", () => {
  it("numbers the files of several prompts", () => {
    expect(numberedFiles("out/fox.png", 1)).toEqual(["out/fox.png"]);
    expect(numberedFiles("out.d/fox.png", 2)).toEqual(["out.d/fox-0.png", "out.d/fox-1.png"]);
    expect(numberedFiles("{i}/fox.png", 2)).toEqual(["0/fox.png", "1/fox.png"]);
    expect(numberedFiles("fox-{i}.png", 1)).toEqual(["fox-0.png"]);
  });

  it("numbers previews from 1, in the order in which they sort", () => {
    expect(previewFile("steps", "out/fox-0.jpg", 0)).toBe(join("steps", "fox-0-scale-01.png"));
    expect(previewFile("steps", "fox.png", 12)).toBe(join("steps", "fox-scale-13.png"));
  });
});

describe("checkWritable", () => {
  it("accepts a new and an existing file, and leaves no trace", () =>
    inTemporaryFolder(async (folder) => {
      await writeFile(join(folder, "old.png"), "old");
      await checkWritable(join(folder, "new.png"));
      await checkWritable(join(folder, "old.png"));
      expect(await readdir(folder)).toEqual(["old.png"]);
    }));

  it("says in one line why a file cannot be written", () =>
    inTemporaryFolder(async (folder) => {
      await writeFile(join(folder, "file"), "");
      await mkdir(join(folder, "folder.png"));
      const absent = join(folder, "absent", "a.png");
      const below = join(folder, "file", "a.png");
      await expect(checkWritable(absent)).rejects.toThrow(`${absent}: cannot be written: there is no folder ${folder}`);
      await expect(checkWritable(below)).rejects.toThrow(`${below}: cannot be written: ${folder}/file is not a folder`);
      await expect(checkWritable(join(folder, "folder.png"))).rejects.toThrow("cannot be written: it is a folder");
      await expect(checkWritable(join(folder, `${"a".repeat(252)}.png`))).rejects.toThrow("the name is too long");
      await expect(makeFolder("--previews", join(folder, "file"))).rejects.toThrow(/^--previews .*file: .*EEXIST/);
    }));
});

describe("writeImage", () => {
  it("writes PNG exactly and leaves only the file", () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, "a.png");
      await writeImage(file, IMAGE, encodingOf(file));
      const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
      expect([info.width, info.height, info.channels]).toEqual([4, 2, 3]);
      expect(Uint8Array.from(data)).toEqual(IMAGE.data);
      expect(await readdir(folder)).toEqual(["a.png"]);
    }));

  it.each(["jpg", "webp"])("writes %s of the right size, smaller at lower quality", (ending) =>
    inTemporaryFolder(async (folder) => {
      const data = Uint8Array.from({ length: 64 * 32 * 3 }, (_, i) => (i * i) % 251);
      const image = { ...IMAGE, width: 64, height: 32, data };
      const [good, bad] = [join(folder, `good.${ending}`), join(folder, `bad.${ending}`)];
      await writeImage(good, image, encodingOf(good));
      await writeImage(bad, image, encodingOf(bad, 10));
      const { width, height, format } = await sharp(good).metadata();
      expect([width, height, format]).toEqual([64, 32, ending === "jpg" ? "jpeg" : "webp"]);
      expect((await readFile(bad)).length).toBeLessThan((await readFile(good)).length);
    }),
  );

  it("writes a file with the longest name that the system allows", () =>
    inTemporaryFolder(async (folder) => {
      const name = `${"a".repeat(251)}.png`;
      await checkWritable(join(folder, name));
      await writeImage(join(folder, name), IMAGE, encodingOf(name));
      expect(await readdir(folder)).toEqual([name]);
    }));

  it("says in one line that a format has no room, and leaves nothing", () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, "a.webp");
      const wide = { width: 16_384, height: 1, data: new Uint8Array(16_384 * 3) };
      await expect(writeImage(file, wide, encodingOf(file))).rejects.toThrow(
        /^.*a\.webp: cannot be written: .*too large/,
      );
      expect(await readdir(folder)).toEqual([]);
      const line = `--out ${file}: 16384x1 pixels, .webp holds at most 16383 a side`;
      expect(() => checkSize(file, wide, encodingOf(file))).toThrow(new OptionError(line));
      checkSize("a.png", wide, encodingOf("a.png"));
    }));

  it("leaves neither file nor remains where the last step fails", () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, "a.png");
      await mkdir(join(file, "inside"), { recursive: true });
      await expect(writeImage(file, IMAGE, encodingOf(file))).rejects.toThrow(OptionError);
      expect(await readdir(folder)).toEqual(["a.png"]);
    }));
});
