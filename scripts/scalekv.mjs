/** The `scalekv` command from a clone: builds first if need be, then is the command. */
import { pathToFileURL } from "node:url";
import { ensureBuilt } from "./build.mjs";

await import(pathToFileURL(ensureBuilt()).href);
