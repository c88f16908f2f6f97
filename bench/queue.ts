/**
 * What the queue costs: the same pictures of the embedded model by the plain loop and through a Redis, in turn, with one
 * loaded model, so that nothing differs but the way from task to picture. Drawing takes longer and shorter as the machine
 * pleases, so what is compared is the time in which nothing was drawn, and its share of the plain loop's time.
 *
 *     node scripts/bench.mjs bench/queue.ts [IMAGES ROUNDS BATCH]
 *
 * Needs Debian's redis-server, and the build (`npm run build`).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as ArtistModule from "../src/sampling/artist.js";
import type * as CommitModule from "../src/sampling/commit.js";
import type * as DealModule from "../src/sampling/deal.js";
import type * as FolderStoreModule from "../src/sampling/folder-store.js";
import type * as DrawByQueueModule from "../src/sampling/queue/draw-by-queue.js";
import type * as ServeModule from "../src/sampling/queue/serve.js";
import type * as RecordsModule from "../src/sampling/records.js";
import type * as ResolveModule from "../src/sampling/resolve.js";
import type * as RunModule from "../src/sampling/run.js";
import type * as SampleModule from "../src/sampling/sample.js";
import type { Station } from "../src/sampling/station.js";
import type { Store } from "../src/sampling/store.js";

const [images = "24", rounds = "5", batch = "4"] = process.argv.slice(2);
const PORT = "7379";
const ADDRESS = `redis://127.0.0.1:${PORT}`;

/** A module of the build, seen from `out/bench`: the engine's thread is a file of it. */
async function built<T>(path: string): Promise<T> {
  return (await import(new URL(`../../dist/${path}`, import.meta.url).href)) as T;
}

const { Artist } = await built<typeof ArtistModule>("sampling/artist.js");
const { commit } = await built<typeof CommitModule>("sampling/commit.js");
const { deal } = await built<typeof DealModule>("sampling/deal.js");
const { FolderStore } = await built<typeof FolderStoreModule>("sampling/folder-store.js");
const { drawByQueue } = await built<typeof DrawByQueueModule>("sampling/queue/draw-by-queue.js");
const { serve } = await built<typeof ServeModule>("sampling/queue/serve.js");
const { ledgerPath } = await built<typeof RecordsModule>("sampling/records.js");
const { resolveWish } = await built<typeof ResolveModule>("sampling/resolve.js");
const { openRun } = await built<typeof RunModule>("sampling/run.js");
const { sample } = await built<typeof SampleModule>("sampling/sample.js");

const model = { name: "stickers" };
const resolved = await resolveWish({ model, options: {}, drawing: {} });
const tasks = Array.from({ length: Number(images) }, (_, index) => ({
  index,
  prompt: "a red apple on a blue background",
  seeds: [index],
  file: `${index}.png`,
}));
const begin = (store: Store): Promise<RunModule.Run> =>
  openRun(store, { ...resolved, model, prompts: { tasks, files: new Map() } });

const folder = await mkdtemp(join(tmpdir(), "scalekv-bench-"));
const redis = spawn("redis-server", ["--port", PORT, "--save", "", "--dir", folder], { stdio: "ignore" });
const artist = await Artist.open(await begin(new FolderStore(join(folder, "run"))), { batch: Number(batch) });

/** Seconds that the station has been drawing and committing. */
let busy = 0;

/** The one model, whatever the store. */
function station(store: Store): Station {
  const ledger = ledgerPath();
  return {
    batch: artist.batch,
    async draw(indices, onRecord, signal) {
      const begun = performance.now();
      for (const picture of await artist.draw(indices, signal)) onRecord(await commit(store, ledger, picture));
      busy += (performance.now() - begun) / 1000;
    },
    close: () => Promise.resolve(),
  };
}

/** Seconds from the first task to the last picture, and those of them in which nothing was drawn. */
interface Times {
  readonly all: number;
  readonly idle: number;
}

async function measure(
  name: string,
  drawAll: (store: Store, run: RunModule.Run) => SampleModule.SampleTask["drawAll"],
): Promise<Times> {
  const store = new FolderStore(join(folder, name));
  const run = await begin(store);
  busy = 0;
  const { drawn, seconds } = await sample({ store, run, drawAll: drawAll(store, run) });
  if (drawn !== tasks.length) throw new Error(`${name}: ${drawn} of ${tasks.length} pictures`);
  return { all: seconds, idle: seconds - busy };
}

const plainly = (name: string): Promise<Times> =>
  measure(name, (store) => (work) => deal({ ...work, stations: 1, open: () => Promise.resolve(station(store)) }));

const queued = (name: string): Promise<Times> =>
  measure(name, (store, run) => (work) => drawByQueue({ ...work, store, run, address: ADDRESS }));

const shown = ({ all, idle }: Times): string => `${all.toFixed(2)} s, of which idle ${idle.toFixed(3)}`;

const end = new AbortController();
const worker = serve({
  address: ADDRESS,
  openStore: (place) => Promise.resolve(new FolderStore(place)),
  openStation: (store) => Promise.resolve(station(store)),
  signal: end.signal,
}).catch(() => undefined);
try {
  await plainly("warm");
  const shares: number[] = [];
  for (let round = 0; round < Number(rounds); round++) {
    const plain = await plainly(`plain-${round}`);
    const queue = await queued(`queue-${round}`);
    const share = (queue.idle - plain.idle) / plain.all;
    shares.push(share);
    console.log(`plain ${shown(plain)}; queue ${shown(queue)}: ${(100 * share).toFixed(1)} % more`);
  }
  const middle = shares.sort((a, b) => a - b)[shares.length >> 1]!;
  console.log(`${images} images, median: ${(100 * middle).toFixed(1)} %`);
} finally {
  end.abort(new Error("done"));
  await worker;
  await artist.dispose();
  redis.kill();
  await once(redis, "exit");
  await rm(folder, { recursive: true, force: true });
}
