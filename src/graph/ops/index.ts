/** One function per operator, by family. */
export * from "./attention.js";
export * from "./convolution.js";
export * from "./math.js";
export * from "./normalization.js";
export * from "./shape.js";
