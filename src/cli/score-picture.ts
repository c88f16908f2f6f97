/** Z-scores drawn: a row a layer, a column a scale. What is dark was read widely and needs its cache: the drafters. */
import type { Roles, Scores } from "../budget/selectivity.js";
import { heatColours } from "../metrics/heat.js";
import { COLOURS, MAX_LEVEL, type RgbImage } from "../metrics/image.js";
import { table } from "./table.js";

/** Side of one cell of the image, in pixels. */
const CELL = 16;
/** From the lowest score to the highest. */
const SHADES = ["··", "░░", "▒▒", "▓▓", "██"] as const;
const DRAFTER = "DD";

/** The scores in letters, for a terminal; layers count from 0 and scales from 1, as in reports. */
export function scoreTable(z: Scores, roles: Roles): string {
  const scales = z[0]?.length ?? 0;
  const header = ["layer", ...Array.from({ length: Math.max(scales - 1, 0) }, (_, i) => String(i + 2))];
  const rows = spread(z).map((row, layer) => [
    String(layer),
    ...row.map((part, i) => (roles[layer]?.[i + 1] === "drafter" ? DRAFTER : shade(part))),
  ]);
  const text = table(
    [header, ...rows],
    header.map(() => "right"),
  );
  const [widest, narrowest] = [SHADES[0], SHADES.at(-1)!];
  return `${text}\n\n${DRAFTER} drafter; attention from ${widest} widest to ${narrowest} most selective\n`;
}

/** The scores as an image, the lowest black and the highest white. */
export function scoreImage(z: Scores): RgbImage {
  const cells = spread(z);
  const colours = heatColours();
  const [width, height] = [(cells[0]?.length ?? 0) * CELL, cells.length * CELL];
  const data = new Uint8Array(width * height * COLOURS);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const part = cells[Math.floor(pixel / width / CELL)]![Math.floor((pixel % width) / CELL)]!;
    const at = Math.round(part * MAX_LEVEL) * COLOURS;
    data.set(colours.subarray(at, at + COLOURS), pixel * COLOURS);
  }
  return { width, height, data };
}

/** Every score as a part of the way from the lowest to the highest; without the first scale, which has none. */
function spread(z: Scores): number[][] {
  const all = z.flatMap((row) => row.filter((score) => score !== null));
  const low = Math.min(...all);
  const range = Math.max(...all) - low;
  return z.map((row) => row.slice(1).map((score) => (range === 0 ? 0 : ((score ?? low) - low) / range)));
}

function shade(part: number): string {
  return SHADES[Math.min(Math.floor(part * SHADES.length), SHADES.length - 1)]!;
}
