#!/usr/bin/env -S MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=37748736 MALLOC_TRIM_THRESHOLD_=268435456 MALLOC_TOP_PAD_=16777216 node
/**
 * Where the `scalekv` command begins. The first line tells glibc to keep freed blocks of up to 36 MiB, a state of the 2B model
 * at `1M`, and up to 256 MiB of them at the heap's end: left to itself it gives smaller ones back so eagerly that taking them
 * again is a tenth of the time (docs/LOG.md). Others ignore the variables.
 */
import { run } from "./program.js";

// A reader that has seen enough (`scalekv inspect … | head`) closes the pipe; that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2));
