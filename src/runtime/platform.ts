/** Where this code runs. */

/** True under Node (and other runtimes that speak its API), false in a browser. */
export const isNode =
  typeof process !== "undefined" && (process.versions as { node?: string } | undefined)?.node !== undefined;
