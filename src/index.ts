/** The public API: the same in Node and in a browser. */
export { pipeline } from "./generate/pipeline.js";
export * from "./generate/types.js";
export * from "./errors.js";
