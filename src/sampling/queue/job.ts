/**
 * What lies in the queue: one job a task, which says where the run is and which picture is wanted. What the picture is
 * follows from the run alone, so it does not matter who draws it, or how often.
 */
import { z } from "zod";
import { sha256 } from "../hash.js";
import type { Manifest } from "../manifest.js";

/** BullMQ's name of the queue; all runs share it. */
export const QUEUE = "scalekv";

/** A job's data. */
export interface TaskJob {
  /** {@link runId} of the run. */
  readonly run: string;
  /** Folder or address of its store, as the sampler knows it. */
  readonly place: string;
  /** The task's. */
  readonly index: number;
  /** Whether it may have been drawn before: then somebody looks before drawing. */
  readonly again: boolean;
}

const SCHEMA: z.ZodType<TaskJob> = z.strictObject({
  run: z.string(),
  place: z.string(),
  index: z.int().nonnegative(),
  again: z.boolean(),
});

/** Checks what came out of the queue. @throws Error for another program's job */
export function parseJob(data: unknown): TaskJob {
  const parsed = SCHEMA.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new Error("not a job of scalekv");
}

/** Names a run at a place, so that two runs into different folders do not take each other's jobs for their own. */
export function runId({ settingsSha256, tasks }: Manifest, place: string): string {
  return sha256(JSON.stringify([settingsSha256, tasks.sha256, place])).slice(0, 32);
}

/** The same for the same task of the same run, so that a task is in the queue once, however often it is put there. */
export function jobId(run: string, index: number): string {
  return `${run}-${index}`;
}

/** Tries of a task that fails. */
export const MOST_ATTEMPTS = 6;

/**
 * Workers that a task may outlive. Machines that are lent and taken back die often; a picture that itself kills who draws
 * it must end some time.
 */
export const MOST_DEATHS = 16;
