import { posix, win32 } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../errors.js";
import { PictureNames } from "./picture-names.js";

const claim = (file: string): string => new PictureNames().claim(file, "set: line 1");

describe("PictureNames", () => {
  it.each(["0000.png", "foxes/red fox (2).jpg", "images/COCOval2014000000000042.png", "фокс.png", "console.png"])(
    "takes %j as it is",
    (file) => expect(claim(file)).toBe(file),
  );

  it.each([
    ["fox", "does not end in .png or .jpg"],
    ["fox.gif", "does not end in .png or .jpg"],
    ["fox.PNG", "does not end in .png or .jpg"],
    ["../fox.png", "has a dot in a folder's name"],
    ["a/../../fox.png", "has a dot in a folder's name"],
    ["tasks.jsonl/fox.png", "has a dot in a folder's name"],
    ["0.png/fox.png", "has a dot in a folder's name"],
    ["/etc/fox.png", "has an empty part"],
    ["a//fox.png", "has an empty part"],
    [".png", "has a part that begins with a dot"],
    ["C:/fox.png", "has a character that file names cannot have everywhere"],
    ["a\\fox.png", "has a character that file names cannot have everywhere"],
    ["fox?.png", "has a character that file names cannot have everywhere"],
    ["a\nb.png", "has a character that file names cannot have everywhere"],
    ["\ud800.png", "has a character that file names cannot have everywhere"],
    ["nul.png", "has a part that is a device's name on Windows"],
    ["COM1 .png", "has a part that is a device's name on Windows"],
    ["Aux/fox.png", "has a part that is a device's name on Windows"],
    [" fox.png", "has space at the end of a part"],
    ["a /fox.png", "has space at the end of a part"],
    [`${"ä".repeat(100)}.png`, "has a part of more than 200 bytes"],
    [`${"aaaaaaaaa/".repeat(81)}a.png`, "has more than 800 bytes"],
  ])("refuses %j", (file, problem) => {
    expect(() => claim(file)).toThrow(OptionError);
    expect(() => claim(file)).toThrow(problem);
  });

  it.each([
    ["fox.png", "fox.png"],
    ["fox.png", "FOX.png"],
    ["caf\u00e9.png", "cafe\u0301.png"],
  ])("refuses %j beside %j", (first, second) => {
    const names = new PictureNames();
    names.claim(first, "set: line 1");
    names.claim(first.replace(".png", ".jpg"), "set: line 2");
    expect(() => names.claim(second, "set: line 3")).toThrow("is the picture of set: line 1 already");
  });

  it("takes nothing that leaves the folder", () => {
    const part = fc.oneof(fc.constantFrom("..", ".", "", "C:", "a", "con", "\\", "~"), fc.string({ maxLength: 4 }));
    const file = fc
      .tuple(fc.array(part, { maxLength: 4 }), fc.constantFrom(".png", ".jpg", ""))
      .map(([parts, ending]) => parts.join("/") + ending);
    fc.assert(
      fc.property(file, (name) => {
        try {
          claim(name);
        } catch (error) {
          expect(error).toBeInstanceOf(OptionError);
          return;
        }
        expect(posix.resolve("/run", name)).toBe(`/run/${name}`);
        expect(win32.resolve("D:\\run", name)).toBe(`D:\\run\\${name.replaceAll("/", "\\")}`);
      }),
      { numRuns: 1000 },
    );
  });
});
