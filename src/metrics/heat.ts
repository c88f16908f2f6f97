/** A colour scale for numbers: black, violet, red, orange, white, in steps that look equal. */
import { COLOURS, MAX_LEVEL } from "./image.js";

/** The widest is 68: from there on some colour of the scale leaves sRGB. */
const CHROMA = 65;

/** Violet, and through red on to yellow: CIELAB's hue angles in degrees. */
const FIRST_HUE = -60;
const LAST_HUE = 105;

/** A colour in CIELAB: lightness 0 to 100, green to red, blue to yellow. Equal distances look about equally far. */
export type Lab = readonly [lightness: number, a: number, b: number];

/** Daylight D65, sRGB's white, in XYZ. */
const WHITE = { x: 0.95047, y: 1, z: 1.08883 };

/**
 * The scale as a curve in CIELAB, t from 0 (black) to 1 (white). Lightness, which is what a grey print and a
 * colour-blind eye keep, is 100 t. The curve's speed is the same everywhere within 8 %: the root of 100² (lightness) +
 * (65 π cos πt)² (chroma) + (65 · 2.88 sin πt)² (hue, 165° being 2.88).
 */
export function heatCurve(t: number): Lab {
  const chroma = CHROMA * Math.sin(Math.PI * t);
  const hue = ((FIRST_HUE + (LAST_HUE - FIRST_HUE) * t) * Math.PI) / 180;
  return [100 * t, chroma * Math.cos(hue), chroma * Math.sin(hue)];
}

/** The scale as [256, 3] levels, red first. */
export function heatColours(): Uint8Array {
  const colours = new Uint8Array((MAX_LEVEL + 1) * COLOURS);
  for (let i = 0; i <= MAX_LEVEL; i++) {
    colours.set(linearRgb(heatCurve(i / MAX_LEVEL)).map(toLevel), i * COLOURS);
  }
  return colours;
}

/** CIELAB (CIE 15) to amounts of light by sRGB's matrix (IEC 61966-2-1); inside sRGB they are 0 to 1. */
export function linearRgb([lightness, a, b]: Lab): [red: number, green: number, blue: number] {
  const height = (lightness + 16) / 116;
  const x = WHITE.x * amount(height + a / 500);
  const y = WHITE.y * amount(height);
  const z = WHITE.z * amount(height - b / 200);
  return [
    3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
    -0.969266 * x + 1.8760108 * y + 0.041556 * z,
    0.0556434 * x - 0.2040259 * y + 1.0572252 * z,
  ];
}

/** CIELAB's cube, which is a straight line near black. */
function amount(height: number): number {
  return height > 6 / 29 ? height ** 3 : 3 * (6 / 29) ** 2 * (height - 4 / 29);
}

/** sRGB's transfer curve (IEC 61966-2-1). Cut where the constants' last digit puts black or white just outside. */
function toLevel(light: number): number {
  const inside = Math.min(1, Math.max(0, light));
  const encoded = inside <= 0.0031308 ? 12.92 * inside : 1.055 * inside ** (1 / 2.4) - 0.055;
  return Math.round(encoded * MAX_LEVEL);
}
