import { defineConfig } from "vitest/config";

/** Tests that drive a real browser: `npm run test:browser`, with Chromium installed. */
export default defineConfig({
  test: {
    include: ["test/browser/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
