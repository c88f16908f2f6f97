/**
 * How far `scalekv eval prompts` can be trusted: node scripts/bench.mjs bench/checker.ts [MODEL FOLDER] [SCENES]
 *
 * Scenes are composed at random from the checker's own art, so what they show is known. They are drawn, sent through the
 * model's autoencoder, spoiled, or replaced by pictures of nothing. Each is checked with a prompt that asks for everything
 * its scene shows, with the same prompt but for one word, and with all held-out prompts that the scene does not follow.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Art, Scene } from "../src/evaluation/prompt-following/art.js";
import { ASPECTS, parseAsked, type Asked } from "../src/evaluation/prompt-following/asked.js";
import { openChecker, type Checked } from "../src/evaluation/prompt-following/checker.js";
import type { ReadObject } from "../src/evaluation/prompt-following/reader.js";
import { renderScene } from "../src/evaluation/prompt-following/render.js";
import { judge } from "../src/evaluation/prompt-following/verdict.js";
import type { RgbImage } from "../src/metrics/image.js";
import { mapSize } from "../src/models/bsq-vae/codes.js";
import { Vae } from "../src/models/bsq-vae/vae.js";
import { resolveModel } from "../src/models/folder.js";
import { imageSize, scheduleFor } from "../src/models/infinity/schedule.js";
import { lookupIn } from "../src/models/lookup.js";
import { pixelsPerToken } from "../src/models/pairing.js";

const [folder = "models/stickers", count = "240"] = process.argv.slice(2);
const checker = (await openChecker(folder))!;
const heldOut = parseAsked(await readFile(join(folder, "checker", "held-out.jsonl"), "utf8"), checker.art, "held-out");

/** Numerical Recipes' linear congruence: the same scenes every time. */
let state = 1;
const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
const gauss = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

const names = [...new Set(checker.art.drawings.map(({ name }) => name))];
const styles = [...new Set(checker.art.drawings.map(({ style }) => style))];

/** As many of each layout; one background in seven is a gradient, as in training. */
function someScene({ layouts, colours }: Art, i: number): Scene {
  const { kind, relation, places } = layouts[i % layouts.length]!;
  const first = pick(names);
  const second = pick(names.filter((name) => name !== first));
  const words = [...colours.keys()];
  return {
    kind,
    relation,
    names: kind === "two" ? [first, second] : [first],
    count: kind === "two" ? 1 : places.length,
    style: pick(styles),
    background: random() < 1 / 7 ? [pick(words), pick(words)] : [pick(words)],
  };
}

/** Everything that a scene shows, as a prompt would ask for it. */
function everythingOf(scene: Scene): Asked {
  const { relation, background } = scene;
  const check = ASPECTS.filter((aspect) => aspect !== "relation" || relation !== null);
  const plain = background[0] === background[1] ? background.slice(0, 1) : [...background];
  return { ...scene, id: "", category: "", prompt: "", check, names: [...scene.names], background: plain };
}

const files = await resolveModel(folder, { textEncoder: false });
const vae = new Vae(files.vae.config, lookupIn(files.vae.tensors, files.vae.path), { device: "cpu" });
const schedule = scheduleFor(files.defaults.pixels, 1);
const side = imageSize(schedule, pixelsPerToken(files.infinity.config, files.vae.config)).width;
const maps = schedule.maps.map((map) => mapSize(map, files.infinity.config.patchify));

async function throughAutoencoder(image: RgbImage): Promise<RgbImage> {
  return vae.decode((await vae.encode({ ...image, batch: 1 }, maps)).codes);
}

/** A picture level by level. */
function paint(level: (x: number, y: number, colour: number) => number): RgbImage {
  const at = (i: number): number => level(Math.floor(i / 3) % side, Math.floor(i / 3 / side), i % 3);
  const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => Math.round(Math.min(255, Math.max(0, at(i)))));
  return { width: side, height: side, data };
}

const levelOf = (image: RgbImage, x: number, y: number, colour: number): number => {
  const inside = (place: number): number => Math.min(side - 1, Math.max(0, place));
  return image.data[(inside(y) * side + inside(x)) * 3 + colour]!;
};

/** The mean of a square around each pixel. */
function blurred(image: RgbImage, reach: number): RgbImage {
  const around = Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach);
  const across = paint((x, y, c) => mean(around.map((step) => levelOf(image, x + step, y, c))));
  return paint((x, y, c) => mean(around.map((step) => levelOf(across, x, y + step, c))));
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** A disc in the middle, as large as an object, on the picture's own background. */
function disc(image: RgbImage, colour: readonly number[]): RgbImage {
  const inDisc = (x: number, y: number): boolean => Math.hypot(x - side / 2, y - side / 2) < side / 3;
  return paint((x, y, c) => (inDisc(x, y) ? colour[c]! : levelOf(image, 0, y, c)));
}

const drawn = Array.from({ length: Number(count) }, (_, i) => someScene(checker.art, i)).map((scene) => {
  return { scene, asked: everythingOf(scene), image: renderScene(checker.art, scene, side) };
});
const unit = side / 128;
const spoilings: Readonly<Record<string, (image: RgbImage) => RgbImage | Promise<RgbImage>>> = {
  "as composed": (image) => image,
  "through the autoencoder": throughAutoencoder,
  "noise of 25 levels": (image) => paint((x, y, c) => levelOf(image, x, y, c) + 25 * gauss()),
  "blurred, 5 of 128 pixels": (image) => blurred(image, Math.round(2 * unit)),
  "moved by 2 of 128 pixels": (image) =>
    paint((x, y, c) => levelOf(image, x + Math.round(2 * unit), y + Math.round(2 * unit), c)),
  "half and half with another scene": (image) => {
    const other = pick(drawn).image;
    return paint((x, y, c) => (levelOf(image, x, y, c) + levelOf(other, x, y, c)) / 2);
  },
  "grey disc": (image) => disc(image, [128, 128, 128]),
  "disc of a random colour": (image) => disc(image, [255 * random(), 255 * random(), 255 * random()]),
  "background alone": (image) => paint((_, y, c) => levelOf(image, 0, y, c) + 8 * gauss()),
  noise: () => paint(() => 255 * random()),
};

/** Whether a scene shows what a prompt asks, by what both say. */
function follows(scene: Scene, { check, ...asked }: Asked): boolean {
  const same: Readonly<Record<(typeof ASPECTS)[number], boolean>> = {
    names: [...asked.names].sort().join() === [...scene.names].sort().join(),
    count: asked.count * asked.names.length === scene.count * scene.names.length,
    relation: asked.relation === scene.relation && asked.names[0] === scene.names[0],
    style: asked.style === scene.style,
    background: asked.background?.join() === scene.background.join(),
  };
  return check.every((aspect) => same[aspect]);
}

/** The same prompt with one word changed: another object, number, side, style or background. */
function nearMisses(asked: Asked): Asked[] {
  const other = <T>(words: readonly T[], word: T): T => pick(words.filter((one) => one !== word));
  const misses: (Partial<Asked> | false)[] = [
    { names: [pick(names.filter((name) => !asked.names.includes(name))), ...asked.names.slice(1)] },
    { style: other(styles, asked.style ?? "") },
    { background: [other([...checker.art.colours.keys()], asked.background?.[0] ?? "")] },
    asked.kind === "some" && { count: other([2, 3, 4], asked.count) },
    asked.relation !== null && { relation: other(["left of", "above"] as const, asked.relation) },
    asked.relation !== null && { names: asked.names.toReversed() },
  ];
  return misses.flatMap((miss) => (miss ? { ...asked, ...miss } : []));
}

const share = (part: number, whole: number): string => `${part} of ${whole} (${((100 * part) / whole).toFixed(2)} %)`;
/** Least, median, 99 of 100, most. */
const quantiles = (values: readonly number[]): string => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!;
  return [0, 0.5, 0.99, 1].map((part) => at(part).toFixed(2)).join(" ");
};

/** Prompts that a picture is said to follow, and how many were tried. */
class Tally {
  private accepted = 0;
  private tried = 0;

  add(prompts: readonly Asked[], { reading }: Checked): void {
    this.tried += prompts.length;
    this.accepted += prompts.filter((prompt) => judge(prompt, reading).shown).length;
  }

  told(): string {
    return share(this.accepted, this.tried);
  }
}

for (const [title, spoil] of Object.entries(spoilings)) {
  const results: Checked[] = [];
  const [others, misses] = [new Tally(), new Tally()];
  for (const { scene, asked, image } of drawn) {
    const checked = checker.check(await spoil(image), asked);
    others.add(
      heldOut.filter((one) => !follows(scene, one)),
      checked,
    );
    misses.add(nearMisses(asked), checked);
    results.push(checked);
  }
  const worst = (measure: (one: ReadObject) => number): number[] =>
    results.map(({ reading }) => Math.max(...reading.objects.map(measure)));
  console.log(title);
  console.log(`  shows its scene ${share(results.filter(({ shown }) => shown).length, results.length)}`);
  console.log(`  clear ${share(results.filter(({ reading }) => reading.clear).length, results.length)}`);
  console.log(`  shows what another prompt asks ${others.told()}`);
  console.log(`  shows its scene's prompt with one word changed ${misses.told()}`);
  console.log(`  unexplained ${quantiles(worst(({ unexplained }) => unexplained))} (least, median, 99 of 100, most)`);
  console.log(`  and rivalry ${quantiles(worst(({ unexplained, rivalry }) => unexplained + rivalry))}`);
  console.log(`  beside ${quantiles(results.map(({ reading }) => reading.beside))}`);
}
await vae.dispose();
await files.close();
