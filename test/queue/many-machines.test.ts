/**
 * `scalekv sample --queue` and `scalekv worker` as processes, with a real Redis: one of three workers is killed in the
 * middle of an image and Redis is restarted, and nothing of it shows in the folder.
 */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { FolderStore } from "../../src/sampling/folder-store.js";
import { readEvents, type RunEvent } from "../../src/sampling/queue/events.js";
import { parseRecords } from "../../src/sampling/records.js";
import { scalekv, startScalekv, type Running } from "../support/command.js";
import { redisMissing, withRedis } from "../support/redis.js";
import { withS3 } from "../support/s3-server.js";
import { lasting, ledgerLines, until } from "../support/sampling.js";

/** As many as show it. `SCALEKV_QUEUE_PROMPTS=300 SCALEKV_QUEUE_MODEL=stickers` is the whole of it, five minutes on two cores. */
const PROMPTS = Number(process.env.SCALEKV_QUEUE_PROMPTS ?? 24);
const MODEL = process.env.SCALEKV_QUEUE_MODEL ?? "tiny";

const missing = redisMissing();
let folder: string;

const sample = (out: string, ...more: string[]): string[] => {
  const prompts = join(folder, "prompts.txt");
  return ["sample", "--model", MODEL, "--prompts", prompts, "--out", out, "--json", ...more];
};
const worker = (address: string): string[] => ["worker", "--queue", address, "--batch", "2", "--lock", "3", "--json"];

/** Stops workers, as they usually end, and returns how many pictures each says to have drawn. */
async function stopped(workers: readonly Running[]): Promise<number[]> {
  for (const one of workers) one.interrupt();
  const ended = await Promise.all(workers.map(({ finished }) => finished));
  expect(ended.map(({ code }) => code)).toEqual(workers.map(() => 130));
  return ended.map(({ stdout }) => (JSON.parse(stdout) as { drawn: number }).drawn);
}

async function eventsOf(out: string): Promise<RunEvent["event"][]> {
  return (await readEvents(new FolderStore(out))).map(({ event }) => event);
}

describe.skipIf(missing !== undefined)(
  `scalekv worker${missing === undefined ? "" : ` (${missing})`}`,
  { timeout: 1000 * (240 + 4 * PROMPTS) },
  () => {
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "scalekv-"));
      const prompts = Array.from({ length: PROMPTS }, (_, i) => `number ${i} in a row of foxes`);
      await writeFile(join(folder, "prompts.txt"), prompts.join("\n"));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    it("has every image drawn, whoever dies", async () => {
      const [single, out, merged] = ["single", "many", "merged"].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ];
      await withRedis(true, async (redis) => {
        const sampling = startScalekv(...sample(out, "--queue", redis.address));
        const workers = [0, 1, 2].map(() => startScalekv(...worker(redis.address)));
        const [victim, ...others] = workers as [Running, Running, Running];
        const drawn = async (): Promise<number> => parseRecords((await ledgerLines(out)).join("\n") + "\n").length;
        await until(async () => ((await drawn()) >= 4 ? true : undefined));
        victim.kill();
        await until(async () => ((await drawn()) >= PROMPTS / 3 ? true : undefined));
        await redis.kill();
        await redis.restart();
        const { code, stdout, stderr } = await sampling.finished;
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(JSON.parse(stdout)).toMatchObject({ total: PROMPTS, drawn: PROMPTS, failed: [] });
        const counts = await stopped(others);
        expect(Math.max(...counts)).toBeGreaterThan(0);
        const events = await eventsOf(out);
        expect(events).toContain("taken over");
        expect(events.filter((event) => event === "reconnected").length).toBeGreaterThanOrEqual(2);
        expect(events).not.toContain("failed");
      });
      expect(await scalekv("verify", out)).toMatchObject({ code: 0 });
      expect(await scalekv("merge", merged, out)).toMatchObject({ code: 0 });
      const records = parseRecords((await ledgerLines(merged)).join("\n") + "\n");
      expect(records.map(({ index }) => index).sort((a, b) => a - b)).toEqual([...Array(PROMPTS).keys()]);
      expect(await scalekv(...sample(single))).toMatchObject({ code: 0, stderr: "" });
      expect(await lasting(out)).toEqual(await lasting(single));
      expect((await readdir(out)).filter((name) => name.endsWith(".png"))).toHaveLength(PROMPTS);
    });

    it("puts pictures into a bucket that all machines see", () =>
      withS3(({ environment, objects }) =>
        withRedis(false, async ({ address }) => {
          for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
          const out = "s3://pictures/run";
          const drawing = startScalekv(...worker(address));
          const wish = sample(out, "--limit", "3", "--queue", address);
          expect(await scalekv(...wish)).toMatchObject({ code: 0, stderr: "" });
          expect(await stopped([drawing])).toEqual([3]);
          const here = join(folder, "here");
          expect(await scalekv("merge", here, out)).toMatchObject({ code: 0 });
          expect(await scalekv(...sample(here, "--limit", "3"))).toMatchObject({ code: 0, stderr: "" });
          expect(await scalekv("verify", out)).toMatchObject({ code: 0, stderr: "" });
          const pictures = [...objects.keys()].filter((key) => key.endsWith(".png"));
          expect(pictures.sort()).toEqual([0, 1, 2].map((i) => `run/000${i}.png`));
          vi.unstubAllEnvs();
        }),
      ));
  },
);
