/** Variables of the environment (Node only). */
import { homedir } from "node:os";
import { join } from "node:path";
import { OptionError } from "../errors.js";

/** A variable's value; an empty one is one that is not set. */
export function variable(name: string, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  return environment[name] === "" ? undefined : environment[name];
}

/**
 * Where the user's programs keep what they can make or fetch again. A user without a home is an {@link OptionError} that
 * says how to do without one; `own` is the variable that names the asking program's folder.
 */
export function userCache(own: string, environment: NodeJS.ProcessEnv = process.env): string {
  return variable("XDG_CACHE_HOME", environment) ?? join(home(own), ".cache");
}

function home(own: string): string {
  let found: string;
  try {
    found = homedir();
  } catch (error) {
    throw withoutHome(own, error);
  }
  // The system takes an empty HOME at its word.
  if (found === "") throw withoutHome(own);
  return found;
}

/** What is said where the system knows no home of the user, as in a container that runs under a bare number. */
export function withoutHome(own: string, cause?: unknown): OptionError {
  return new OptionError(`HOME: names no folder, and this user has no home; set it, XDG_CACHE_HOME or ${own}`, {
    cause,
  });
}
