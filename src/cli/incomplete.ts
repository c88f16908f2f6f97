/** An end that is neither success nor an error. */

/** A command did its work and has said what came of it: something is missing. */
export class Incomplete extends Error {
  readonly exitCode = 1;

  constructor() {
    super("incomplete");
    this.name = "Incomplete";
  }
}
