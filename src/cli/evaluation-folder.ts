/**
 * The folder of a comparison: `settings.json` says of what, `outcomes.jsonl` what was found, a folder for every contender
 * holds its images as PNG. A comparison that was stopped goes on from there; one with other settings is refused.
 */
import { appendFile, mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeText } from "../budget/budget-file.js";
import { OptionError } from "../errors.js";
import { REFERENCE, type EvaluationStore } from "../evaluation/cache-comparison.js";
import { parseOutcome, type Outcome } from "../evaluation/outcomes.js";
import type { RgbImage } from "../metrics/image.js";
import { makeFolder, writeImage } from "./image-file.js";

const OUTCOMES = "outcomes.jsonl";

/** The store on disk; see the file's head. */
export class EvaluationFolder implements EvaluationStore {
  private constructor(
    private readonly folder: string,
    readonly outcomes: Outcome[],
  ) {}

  /** Opens or makes the folder. @throws OptionError where it holds a comparison with other settings */
  static async open(folder: string, settings: object): Promise<EvaluationFolder> {
    await makeFolder("--out", folder);
    const file = join(folder, "settings.json");
    const text = `${JSON.stringify(settings, null, 2)}\n`;
    const found = await readIfThere(file);
    if (found !== undefined && found !== text) {
      throw new OptionError(`--out ${folder}: holds a comparison of another model, other prompts or settings`);
    }
    if (found === undefined) await writeText(file, text);
    const lines = ((await readIfThere(join(folder, OUTCOMES))) ?? "").split("\n");
    return new EvaluationFolder(
      folder,
      lines.flatMap((line) => parseOutcome(line) ?? []),
    );
  }

  async keepImage(contender: string, index: number, image: RgbImage): Promise<void> {
    await mkdir(join(this.folder, contender), { recursive: true });
    await writeImage(this.imageFile(contender, index), image, { format: "png", quality: 100 });
  }

  async reference(index: number): Promise<RgbImage | undefined> {
    const file = this.imageFile(REFERENCE, index);
    if (!(await stat(file).catch(() => undefined))) return undefined;
    const { default: sharp } = await import("sharp");
    const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data };
  }

  async keepOutcomes(outcomes: readonly Outcome[]): Promise<void> {
    // A line that was cut off by a stop must not swallow the next one.
    const lines = outcomes.map((outcome) => `\n${JSON.stringify(outcome)}`).join("");
    await appendFile(join(this.folder, OUTCOMES), `${lines}\n`);
    this.outcomes.push(...outcomes);
  }

  /** Replaces a file in one step. */
  async writeText(name: string, text: string): Promise<void> {
    await writeText(join(this.folder, name), text);
  }

  private imageFile(contender: string, index: number): string {
    return join(this.folder, contender, `${String(index).padStart(5, "0")}.png`);
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new OptionError(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
  }
}
