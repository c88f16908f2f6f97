/** Where the queue is: a Redis or a Valkey, by its address. */
import { OptionError } from "../../errors.js";

const PROTOCOLS = ["redis:", "rediss:"];

/** Checks `redis://[[user]:password@]host[:port][/database]`, or `rediss:` for TLS. @throws OptionError for others */
export function parseQueueAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && PROTOCOLS.includes(url.protocol) && url.hostname !== "" && /^\/?\d*$/.test(url.pathname)) return text;
  throw new OptionError(
    `--queue ${masked(text)}: not an address such as redis://host:6379/0 or rediss://:password@host`,
  );
}

/**
 * What is no address, without anything that may be meant as a password: what stands before an @, after a colon where no port
 * is, or in a query.
 */
function masked(text: string): string {
  const [, scheme = "", rest = ""] = /^([a-z]*:?\/\/)?(.*)$/is.exec(text) ?? [];
  const at = rest.lastIndexOf("@");
  const place = rest
    .slice(at + 1)
    .replace(/:(?!\d{1,5}(\/|\?|$)).*$/s, ":***")
    .replace(/[?#].*$/s, "?***");
  return `${scheme}${at < 0 ? "" : "***@"}${place}`;
}

/** The address without its password, fit to be shown. */
export function shownAddress(address: string): string {
  const url = new URL(address);
  url.password = "";
  return url.href;
}
