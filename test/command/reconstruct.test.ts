/** `scalekv reconstruct` as a user runs it. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, it } from "vitest";
import { scalekv } from "../support/command.js";
import { inTemporaryFolder } from "../support/temporary.js";

/** A smooth picture of another size than any that is drawn. */
async function picture(path: string, width: number, height: number): Promise<void> {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => 128 + 100 * Math.sin(i / 97));
  await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(path);
}

it("writes the image at the nearest published size and says how near it came", async () => {
  await inTemporaryFolder(async (folder) => {
    const [source, out] = [join(folder, "in.png"), join(folder, "out.png")];
    await picture(source, 200, 300);
    const { code, stdout, stderr } = await scalekv("reconstruct", source, "--model", "tiny", "--out", out, "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const measures = JSON.parse(stdout) as { psnr: number; ssim: number };
    // The embedded autoencoder is random, so the image is far off; both measures are numbers of two different images.
    expect(measures.psnr).toBeGreaterThan(0);
    expect(measures.psnr).toBeLessThan(100);
    expect(measures.ssim).toBeLessThan(1);
    expect(await sharp(out).metadata()).toMatchObject({ width: 224, height: 336, format: "png" });
  });
});

it("turns a photograph the way its EXIF data say", async () => {
  await inTemporaryFolder(async (folder) => {
    const [source, turned, out] = [join(folder, "in.png"), join(folder, "in.jpg"), join(folder, "out.png")];
    await picture(source, 200, 300);
    // 6: the top of the picture is the right side of what is stored.
    await sharp(source).withMetadata({ orientation: 6 }).jpeg().toFile(turned);
    const { code } = await scalekv("reconstruct", turned, "--model", "tiny", "--out", out, "--json");
    expect(code).toBe(0);
    expect(await sharp(out).metadata()).toMatchObject({ width: 336, height: 224 });
  });
});

it("refuses an image that was cut off in one line", async () => {
  await inTemporaryFolder(async (folder) => {
    const source = join(folder, "in.png");
    await picture(source, 200, 300);
    await writeFile(source, (await readFile(source)).subarray(0, 400));
    const { code, stdout, stderr } = await scalekv("reconstruct", source, "--model", "tiny", "--out", `${source}.png`);
    const line = `scalekv: ${source}: cannot be read as an image\n`;
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: line });
    expect(await readdir(folder)).toEqual(["in.png"]);
  });
});

it.each([
  [["nowhere.png", "--out", "out.png"], "nowhere.png: cannot be read as an image"],
  [["package.json", "--out", "out.png"], "package.json: cannot be read as an image"],
])("refuses %j in one line", async (args, line) => {
  await inTemporaryFolder(async (folder) => {
    const placed = args.map((arg) => (arg === "out.png" ? join(folder, arg) : arg));
    const { code, stdout, stderr } = await scalekv("reconstruct", ...placed);
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: `scalekv: ${line}\n` });
    expect(await readdir(folder)).toEqual([]);
  });
});
