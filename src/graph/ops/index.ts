/** One function per operator, by family. */
export * from "./attention.js";
export * from "./convolution.js";
export * from "./group-normalization.js";
export * from "./linear.js";
export * from "./math.js";
export * from "./normalization.js";
export * from "./pooling.js";
export * from "./quantization.js";
export * from "./reduction.js";
export * from "./selection.js";
export * from "./shape.js";
