#!/usr/bin/env -S MALLOC_MMAP_THRESHOLD_=9437184 node
/**
 * Where the `scalekv` command begins. The first line asks glibc to give blocks of 9 MiB and more back to the system when
 * they are freed: left to itself it keeps up to a third of the process (docs/LOG.md). Others ignore the variable.
 */
import { run } from "./program.js";

// A reader that has seen enough (`scalekv inspect … | head`) closes the pipe; that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2));
