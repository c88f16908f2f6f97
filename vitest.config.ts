import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Large files come first where nothing is known of an earlier run, as in a new clone; these take long for their size. */
const LONG = /(?:conformance|eval-prompts|sample-kill|parity\/scalekv)\.test\.ts$/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => LONG.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

/** Unit tests that put something in the place of a module: they need modules of their own, all others share them. */
const mocking = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => join("src", name))
  .filter((file) => /vi\.(?:mock|doMock)\(/.test(readFileSync(file, "utf8")));

const SHORT = { testTimeout: 20_000, hookTimeout: 60_000 };

/** Unit tests lie beside their source; everything that needs files, the command or a browser lies under test/. */
export default defineConfig({
  test: {
    pool: "forks",
    // Weights in blocks are kept where other tools keep such things, not in the home of whoever runs the tests.
    env: { SCALEKV_CACHE: "node_modules/.cache/scalekv" },
    // ONNX Runtime brings threads of its own: more workers than this only make two cores change hands.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["src/**/*.test.ts"], exclude: mocking, isolate: false, ...SHORT },
      },
      {
        extends: true,
        test: { name: "unit, modules replaced", include: mocking, ...SHORT },
      },
      {
        extends: true,
        test: {
          name: "parity",
          include: ["test/**/*.test.ts"],
          exclude: ["test/command/**", "test/queue/**", "test/browser/**"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "command",
          include: ["test/{command,queue}/**/*.test.ts"],
          globalSetup: "test/support/build.ts",
          // The longest take 90 s on a machine in a slow state, and twice as long beside other work.
          testTimeout: 300_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
