/** The connection to Redis. Once it stands it is kept: whatever breaks it, it comes back, and its commands wait. */
import type { Redis } from "ioredis";
import { OptionError } from "../../errors.js";
import { shownAddress } from "./address.js";

/** Milliseconds between two tries to come back, at most. */
const LONGEST_PAUSE = 2_000;
/** Milliseconds that the first connection may take. */
const PATIENCE = 10_000;

/** Redis 6.2, whose commands BullMQ is written for; a Valkey says which Redis it stands in for. */
const OLDEST = 6.2;

/** Connects; `onReconnect` is told whenever the connection is back. @throws OptionError where there is no queue */
export async function connect(address: string, onReconnect: () => void): Promise<Redis> {
  const { Redis: Client } = await import("ioredis");
  let stands = false;
  const client = new Client(address, {
    lazyConnect: true,
    connectTimeout: PATIENCE,
    // BullMQ's demand: a command waits until it can be sent, however long that takes.
    maxRetriesPerRequest: null,
    retryStrategy: (tries) => (stands ? Math.min(50 * 2 ** tries, LONGEST_PAUSE) : null),
  });
  let reason: unknown;
  // What breaks the connection later mends itself; unheard, it would be printed.
  client.on("error", (error: unknown) => (reason = error));
  let version: number;
  try {
    await client.connect();
    version = versionIn(await client.info("server"));
  } catch (error) {
    client.disconnect();
    const { code, message } = (reason ?? error) as NodeJS.ErrnoException;
    throw new OptionError(`--queue ${shownAddress(address)}: cannot be reached (${code ?? message})`, { cause: error });
  }
  if (!(version >= OLDEST)) {
    client.disconnect();
    throw new OptionError(`--queue ${shownAddress(address)}: Redis ${version}, at least ${OLDEST} is needed`);
  }
  stands = true;
  client.on("ready", onReconnect);
  return client;
}

/** As 7.2 for `redis_version:7.2.4`. Second numbers have had one digit so far. */
function versionIn(info: string): number {
  return Number(/^redis_version:(\d+\.\d)/m.exec(info)?.[1]);
}

/** What Redis itself refuses: it is full, must not be written to, or does not let this user do this. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

/** Closes a connection in good order, or, if the other side does not answer, all the same. */
export async function disconnect(client: Redis): Promise<void> {
  const late = setTimeout(() => client.disconnect(), LONGEST_PAUSE);
  await client.quit().catch(() => client.disconnect());
  clearTimeout(late);
}
