import { defineConfig } from "vitest/config";

/** Unit tests lie beside their source; everything that needs files, the command or a browser lies under test/. */
export default defineConfig({
  test: {
    pool: "forks",
    // Weights in blocks are kept where other tools keep such things, not in the home of whoever runs the tests.
    env: { SCALEKV_CACHE: "node_modules/.cache/scalekv" },
    // ONNX Runtime brings threads of its own: more workers than this only make two cores change hands.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["src/**/*.test.ts"], testTimeout: 20_000, hookTimeout: 60_000 },
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
