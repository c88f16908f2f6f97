/** Variables of the environment (Node only). */
import { homedir } from "node:os";
import { join } from "node:path";

/** A variable's value; an empty one is one that is not set. */
export function variable(name: string, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  return environment[name] === "" ? undefined : environment[name];
}

/** Where the user's programs keep what they can make or fetch again. */
export function userCache(environment: NodeJS.ProcessEnv = process.env): string {
  return variable("XDG_CACHE_HOME", environment) ?? join(homedir(), ".cache");
}
