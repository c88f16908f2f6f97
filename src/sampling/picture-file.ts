/** Images as the bytes of a picture file. The same images give the same bytes: nothing of time or place is written. */
import { extname } from "node:path";
import { OptionError } from "../errors.js";
import { COLOURS, sizeOf, type RgbImage } from "../metrics/image.js";

/** Of JPEG, 1 to 100: high enough that the eye finds no fault. */
const JPEG_QUALITY = 95;

/** Encodes images, several as one grid, by the file's ending (`.png` or `.jpg`). */
export async function encodePicture(images: readonly RgbImage[], file: string): Promise<Uint8Array> {
  const { width, height, data } = grid(images);
  const { default: sharp } = await import("sharp");
  const picture = sharp(data, { raw: { width, height, channels: COLOURS } });
  if (extname(file) === ".png") return picture.png().toBuffer();
  return picture.jpeg({ quality: JPEG_QUALITY }).toBuffer();
}

/**
 * Images row by row in as many columns as make the grid nearest to a square, √n rounded up; cells that are left over stay
 * black. A single image is its own grid.
 *
 * @throws OptionError for images of different sizes
 */
export function grid(images: readonly RgbImage[]): RgbImage {
  const [first, ...others] = images;
  if (!first) throw new RangeError("a grid of 0 images");
  if (others.length === 0) return first;
  const other = others.find((image) => sizeOf(image) !== sizeOf(first));
  if (other) throw new OptionError(`images of ${sizeOf(first)} and ${sizeOf(other)} make no grid: the sizes differ`);
  const columns = Math.ceil(Math.sqrt(images.length));
  const width = columns * first.width;
  const height = Math.ceil(images.length / columns) * first.height;
  const data = new Uint8Array(width * height * COLOURS);
  images.forEach((image, cell) => {
    const left = (cell % columns) * first.width;
    const top = Math.floor(cell / columns) * first.height;
    const row = first.width * COLOURS;
    for (let y = 0; y < first.height; y++) {
      data.set(image.data.subarray(y * row, (y + 1) * row), ((top + y) * width + left) * COLOURS);
    }
  });
  return { width, height, data };
}
