/** Waiting that ends with a signal, on either side of the worker's border. */

/**
 * What `work` comes to, or the signal's reason as soon as it is aborted. Nothing is kept with the signal afterwards: a
 * `Promise.race` with a promise that lives as long as a model would keep every result for as long.
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let giveUp = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => reject(signal.reason as unknown);
  });
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}
