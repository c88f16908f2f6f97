/** `scalekv sample` under SIGKILL: at whatever moment it dies, resuming gives the folder of an uninterrupted run. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scalekv, startScalekv, type Running } from "../support/command.js";
import { ledgerLines, lasting, until } from "../support/sampling.js";
import { inTemporaryFolder } from "../support/temporary.js";

const KILLS = 20;
const PROMPTS = ["a red fox", "a lighthouse", "a kite", "two cats", "a boat", "a tree"];

/** Numbers from 0 to 1 that are the same in every run of the test (Lehmer's generator, MINSTD). */
function* chances(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (state * 48271) % 2147483647;
    yield state / 2147483647;
  }
}

let folder: string;
/** What an uninterrupted run leaves, and the milliseconds until its first picture was there. */
let reference: ReadonlyMap<string, string>;
let firstPicture: number;

const sample = (out: string, ...more: string[]): string[] => {
  const wish = ["--model", "tiny", "--prompts", join(folder, "prompts.txt"), "--out", out, "--batch", "1"];
  return ["sample", ...wish, ...more];
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scalekv-"));
  await writeFile(join(folder, "prompts.txt"), PROMPTS.join("\n"));
  const begun = Date.now();
  const whole = join(folder, "whole");
  expect(await scalekv(...sample(whole))).toMatchObject({ code: 0, stderr: "" });
  reference = await lasting(whole);
  const [line] = await ledgerLines(whole);
  firstPicture = Date.parse((JSON.parse(line!) as { finished: string }).finished) - begun;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Whatever has its final name is whole, however the process ended. */
async function expectNothingHalf(out: string): Promise<void> {
  const files = await lasting(out).catch(() => new Map<string, string>());
  for (const [name, content] of files)
    if (!name.endsWith(".part")) expect([name, content]).toEqual([name, reference.get(name)]);
}

// Some draw several runs, each of which loads the model, on machines that have other things to do as well.
describe("scalekv sample", { timeout: 240_000 }, () => {
  it(`killed ${KILLS} times and resumed leaves the folder of an uninterrupted run`, async () => {
    const out = join(folder, "killed");
    const chance = chances(6);
    for (let kills = 0; kills < KILLS;) {
      const running = startScalekv(...sample(out));
      // Half of them die after a picture of theirs, at work on the next; the others anywhere from their first moment on.
      const before = (await ledgerLines(out)).length;
      if (kills % 2 === 1) await until(async () => (await ledgerLines(out))[before] ?? (await ended(running)));
      const timer = setTimeout(running.kill, firstPicture * (kills % 2 === 1 ? 0.15 : 0.9) * chance.next().value);
      const { code } = await running.finished;
      clearTimeout(timer);
      await expectNothingHalf(out);
      if (code === null) kills++;
      // It was quicker than its killer: all begins anew.
      else await rm(out, { recursive: true });
    }
    expect(await scalekv(...sample(out))).toMatchObject({ code: 0, stderr: "" });
    expect(await lasting(out)).toEqual(reference);
    expect(await scalekv("verify", out)).toMatchObject({ code: 0 });
  });

  it("has the pictures of a killed worker drawn by others", () =>
    inTemporaryFolder(async (out) => {
      const running = startScalekv(...sample(out, "--workers", "2", "--json"));
      const worker = await firstWorker(out);
      process.kill(worker, "SIGKILL");
      const { code, stdout, stderr } = await running.finished;
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(JSON.parse(stdout)).toMatchObject({ drawn: PROMPTS.length, skipped: 0, failed: [] });
      expect(await lasting(out)).toEqual(reference);
    }));

  it("ends its workers with itself", () =>
    inTemporaryFolder(async (out) => {
      const running = startScalekv(...sample(out, "--workers", "2"));
      const worker = await firstWorker(out);
      running.kill();
      await running.finished;
      await until(() => Promise.resolve(isAlive(worker) ? undefined : true));
      await expectNothingHalf(out);
    }));
});

/** Something, once the command has ended. */
function ended({ finished }: Running): Promise<unknown> {
  return Promise.race([finished, Promise.resolve(undefined)]);
}

/** The process that committed the first picture: a ledger is called HOST-PID-RANDOM.jsonl. */
async function firstWorker(out: string): Promise<number> {
  const pid = await until(async () => {
    const names = await readdir(join(out, "records")).catch(() => []);
    return /-(\d+)-[0-9a-f]{8}\.jsonl$/.exec(names[0] ?? "")?.[1];
  });
  return Number(pid);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
