/** The variables that the first line of the `scalekv` command sets, so that a benchmark allocates memory as the command does. */
import { readFile } from "node:fs/promises";

/** The process's environment with those variables. */
export async function commandEnvironment(): Promise<NodeJS.ProcessEnv> {
  const [first = ""] = (await readFile("src/cli/main.ts", "utf8")).split("\n");
  const set = [...first.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name, value]) => [name!, value!] as const);
  return { ...process.env, ...Object.fromEntries(set) };
}
