/** Builds `dist` from `src` where it is missing or older than its sources. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const main = join(root, "dist/cli/main.js");
/** Written after a good build: the compiler's own files keep their time where nothing in them changed. */
const stamp = join(root, "dist/.built");

/** The build's entry point, made if need be; a build that fails prints the compiler's words and ends the process. */
export function ensureBuilt() {
  if (!isFresh()) build();
  return main;
}

function isFresh() {
  if (!existsSync(main) || !existsSync(stamp)) return false;
  const built = statSync(stamp).mtimeMs;
  const configs = ["tsconfig.json", "tsconfig.build.json", "package.json"].map((name) => join(root, name));
  return [...configs, ...sources()].every((file) => statSync(file).mtimeMs <= built);
}

/** Everything under `src`, folders too: a folder's time tells of files that went away. */
function sources() {
  const below = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  return below.filter((name) => !name.endsWith(".test.ts")).map((name) => join(root, "src", name));
}

function build() {
  rmSync(stamp, { force: true });
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", join(root, "tsconfig.build.json")], {
    encoding: "utf8",
  });
  if (status !== 0) {
    process.stderr.write(`The build failed.\n${stdout}`);
    process.exit(1);
  }
  writeFileSync(stamp, "");
}
