/** Where the queue is: a Redis or a Valkey, by its address. */
import { OptionError } from "../../errors.js";

const PROTOCOLS = ["redis:", "rediss:"];

/** Checks `redis://[[user]:password@]host[:port][/database]`, or `rediss:` for TLS. @throws OptionError for others */
export function parseQueueAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && PROTOCOLS.includes(url.protocol) && url.hostname !== "" && /^\/?\d*$/.test(url.pathname)) return text;
  throw new OptionError(`--queue ${text}: not an address such as redis://host:6379/0 or rediss://:password@host`);
}

/** The address without its password, fit to be shown. */
export function shownAddress(address: string): string {
  const url = new URL(address);
  url.password = "";
  return url.href;
}
