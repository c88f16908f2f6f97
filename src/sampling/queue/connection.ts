/** The connection to Redis. Once it stands it is kept: whatever breaks it, it comes back, and its commands wait. */
import type { Redis } from "ioredis";
import { OptionError } from "../../errors.js";
import { shownAddress } from "./address.js";

/** Milliseconds between two tries to come back, at most. */
const LONGEST_PAUSE = 2_000;
/** Milliseconds that the first connection may take. */
const PATIENCE = 10_000;

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
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    client.disconnect();
    const { code, message } = (reason ?? error) as NodeJS.ErrnoException;
    throw new OptionError(`--queue ${shownAddress(address)}: cannot be reached (${code ?? message})`, { cause: error });
  }
  stands = true;
  client.on("ready", onReconnect);
  return client;
}

/** Closes a connection in good order, or, if the other side does not answer, all the same. */
export async function disconnect(client: Redis): Promise<void> {
  const late = setTimeout(() => client.disconnect(), LONGEST_PAUSE);
  await client.quit().catch(() => client.disconnect());
  clearTimeout(late);
}
