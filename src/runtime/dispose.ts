/** Giving back what several owners hold, so that the failure of one keeps nobody else's memory or files. */

/** Whoever holds sessions, tensors or files of its own. */
export interface Owner {
  dispose(): Promise<void>;
}

/** Disposes of all, one after the other and whatever becomes of those before; then throws the first error, if there was one. */
export async function disposeAll(owners: Iterable<Owner>): Promise<void> {
  const errors: unknown[] = [];
  for (const owner of owners) {
    try {
      await owner.dispose();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
