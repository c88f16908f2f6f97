/** What the system says when it refuses a file. */

/** The system's name for what went wrong, such as `ENOENT`; of an error that is not the system's, what it says. */
export function systemCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

/** Whether the system says that there is no such file. */
export function noSuchFile(error: unknown): boolean {
  return systemCode(error) === "ENOENT";
}

/** Whether it says that there is no such file, or that a file stands where the path has a folder. */
export function noSuchPath(error: unknown): boolean {
  return noSuchFile(error) || systemCode(error) === "ENOTDIR";
}
