/**
 * The folder of an evaluation: `settings.json` says of what, `outcomes.jsonl` what a comparison of caches found, a folder
 * for every contender holds its images as PNG. What was stopped goes on from there; other settings are refused.
 */
import { appendFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { OptionError } from "../errors.js";
import type { EvaluationStore } from "../evaluation/cache-comparison.js";
import { parseOutcome, type Outcome } from "../evaluation/outcomes.js";
import { readRegularText } from "../files/read-file.js";
import { noSuchFile, systemCode } from "../files/system-error.js";
import type { RgbImage } from "../metrics/image.js";
import { readPicture } from "../metrics/pairs.js";
import { makeFolder, writeImage, writeReport } from "./image-file.js";

const OUTCOMES = "outcomes.jsonl";

/** The store on disk; see the file's head. */
export class EvaluationFolder implements EvaluationStore {
  private constructor(
    private readonly folder: string,
    readonly outcomes: Outcome[],
  ) {}

  /** Opens or makes the folder. @throws OptionError where it holds an evaluation with other settings */
  static async open(folder: string, settings: object): Promise<EvaluationFolder> {
    await makeFolder("--out", folder);
    const file = join(folder, "settings.json");
    const text = `${JSON.stringify(settings, null, 2)}\n`;
    const found = await readIfThere(file);
    if (found !== undefined && found !== text) {
      throw new OptionError(`--out ${folder}: holds an evaluation of another model, other prompts or settings`);
    }
    if (found === undefined) await writeReport(file, text);
    const lines = ((await readIfThere(join(folder, OUTCOMES))) ?? "").split("\n");
    return new EvaluationFolder(
      folder,
      lines.flatMap((line) => parseOutcome(line) ?? []),
    );
  }

  async keepImage(contender: string, index: number, image: RgbImage): Promise<void> {
    await makeFolder("--out", join(this.folder, contender));
    await writeImage(this.imageFile(contender, index), image, { format: "png", quality: 100 });
  }

  async image(contender: string, index: number): Promise<RgbImage | undefined> {
    const file = this.imageFile(contender, index);
    return (await stat(file).catch(() => undefined)) && readPicture(file);
  }

  async keepOutcomes(outcomes: readonly Outcome[]): Promise<void> {
    // A line that was cut off by a stop must not swallow the next one.
    const lines = outcomes.map((outcome) => `\n${JSON.stringify(outcome)}`).join("");
    await appendFile(join(this.folder, OUTCOMES), `${lines}\n`);
    this.outcomes.push(...outcomes);
  }

  /** Replaces a file in one step. */
  async writeText(name: string, text: string): Promise<void> {
    await writeReport(join(this.folder, name), text);
  }

  /** Where an image is, or would be. */
  imageFile(contender: string, index: number): string {
    return join(this.folder, contender, `${String(index).padStart(5, "0")}.png`);
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readRegularText(file);
  } catch (error) {
    if (noSuchFile(error)) return undefined;
    throw new OptionError(`${file}: cannot be read (${systemCode(error)})`);
  }
}
