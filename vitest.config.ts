import { defineConfig } from "vitest/config";

/** Unit tests lie beside their source; everything that needs files, the command or a browser lies under test/. */
export default defineConfig({
  test: {
    pool: "forks",
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
          exclude: ["test/command/**", "test/browser/**"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "command",
          include: ["test/command/**/*.test.ts"],
          globalSetup: "test/support/build.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
