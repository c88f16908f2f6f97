/** Builds once before the command's tests, so that they do not each find a stale build at the same moment. */
import { spawnSync } from "node:child_process";

/** Called by vitest before the first test of the `command` project. */
export function setup(): void {
  const script = 'import("./scripts/build.mjs").then(({ ensureBuilt }) => ensureBuilt())';
  const { status, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}
