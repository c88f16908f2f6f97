#!/usr/bin/env node
/** Where the `scalekv` command begins. */
import { run } from "./program.js";

// A reader that has seen enough (`scalekv inspect … | head`) closes the pipe; that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2));
