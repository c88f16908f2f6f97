/** Pictures of compressed runs beside those that the full cache drew from the same prompts and seeds. */
import { SamplingError } from "../errors.js";
import type { RgbImage } from "../metrics/image.js";
import { readPicture } from "../metrics/pairs.js";
import { Scorer, type PairScore, type Scores } from "../metrics/score.js";
import { canonicalJson } from "../sampling/hash.js";
import type { Manifest } from "../sampling/manifest.js";
import type { RunOverview } from "../sampling/overview.js";
import type { Store } from "../sampling/store.js";
import type { Task } from "../sampling/task.js";

/** How near a run is to another one. */
export interface Likeness {
  /** Place of the run of the full cache. */
  readonly against: string;
  readonly scores: Scores;
  /** By the index of the task. */
  readonly pairs: ReadonlyMap<number, PairScore>;
}

/** The run of the full cache in float32 that differs from this one in nothing but the cache; undefined where none does. */
export function referenceOf(run: RunOverview, runs: readonly RunOverview[]): RunOverview | undefined {
  if (drawsFull(run)) return undefined;
  return runs.find((other) => drawsFull(other) && pairUp(other.run.manifest, run.run.manifest));
}

function drawsFull({ run }: RunOverview): boolean {
  const { policy, storage } = run.manifest.settings.cache;
  return policy === "full" && storage === "fp32";
}

function pairUp(a: Manifest, b: Manifest): boolean {
  const other = ({ settings }: Manifest): string => canonicalJson({ ...settings, cache: undefined });
  return a.tasks.sha256 === b.tasks.sha256 && other(a) === other(b);
}

/**
 * PSNR and SSIM of the pictures that both runs have, which must be of the same tasks; undefined where there are none. One
 * pair is held at a time.
 *
 * @throws OptionError for a picture that cannot be read, SamplingError for one that is gone
 */
export async function measureLikeness(
  full: RunOverview,
  run: RunOverview,
  onPair: (done: number, total: number) => void,
): Promise<Likeness | undefined> {
  const tasks = run.pictures.flatMap(({ task, state }) =>
    state === "done" && full.pictures[task.index]?.state === "done" ? [task] : [],
  );
  if (tasks.length === 0) return undefined;
  // These two metrics have no network, so nothing is loaded and nothing is to be freed.
  const scorer = await Scorer.load({ metrics: ["psnr", "ssim"], device: "cpu" });
  const found = new Map<number, PairScore>();
  for (const task of tasks) {
    const [a, b] = await Promise.all([readRunPicture(full.store, task), readRunPicture(run.store, task)]);
    const files = { name: task.file, a: placeOf(full.store, task), b: placeOf(run.store, task) };
    found.set(task.index, await scorer.add({ ...files, pictures: { a, b } }));
    onPair(found.size, tasks.length);
  }
  return { against: full.store.place, scores: await scorer.scores(), pairs: found };
}

/** A picture as it lies in a store. @throws SamplingError where it is gone, OptionError where it is no picture */
export async function readRunPicture(store: Store, task: Task): Promise<RgbImage> {
  const bytes = await store.get(task.file);
  if (!bytes) throw new SamplingError(`${placeOf(store, task)}: missing`);
  return readPicture(placeOf(store, task), bytes);
}

function placeOf(store: Store, { file }: Task): string {
  return `${store.place}/${file}`;
}
