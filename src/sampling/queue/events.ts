/** What happened on the way, as lines of a run's ledgers; readers of pictures pass over them. */
import { z } from "zod";
import { RECORDS } from "../manifest.js";
import { getText, type Store } from "../store.js";

/**
 * `taken over`: a worker went silent, and another draws what it had. `retry`: it failed before. `failed`: for good.
 * `enqueued again`: the queue had lost it. `reconnected`: the queue had been away.
 */
export const EVENTS = ["taken over", "retry", "failed", "enqueued again", "reconnected"] as const;

/** One event. */
export interface RunEvent {
  readonly event: (typeof EVENTS)[number];
  /** The task's, where it is about one. */
  readonly index?: number | undefined;
  /** What went wrong before. */
  readonly message?: string | undefined;
  /** UTC, ISO 8601. */
  readonly when: string;
}

const SCHEMA: z.ZodType<RunEvent> = z.strictObject({
  event: z.enum(EVENTS),
  index: z.int().nonnegative().optional(),
  message: z.string().optional(),
  when: z.iso.datetime(),
});

/** Writes events of this moment into a ledger of this process. */
export async function note(store: Store, ledger: string, events: readonly Omit<RunEvent, "when">[]): Promise<void> {
  const when = new Date().toISOString();
  const lines = events.map((event) => `${JSON.stringify({ ...event, when } satisfies RunEvent)}\n`);
  if (lines.length > 0) await store.append(ledger, lines.join(""));
}

/** All events of a run, in the order of their time. */
export async function readEvents(store: Store): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for (const { path } of await store.list(RECORDS)) {
    const lines = ((await getText(store, path)) ?? "").split("\n").slice(0, -1);
    events.push(...lines.flatMap((line) => parseEvent(line) ?? []));
  }
  return events.sort((a, b) => (a.when < b.when ? -1 : 1));
}

function parseEvent(line: string): RunEvent | undefined {
  try {
    return SCHEMA.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
