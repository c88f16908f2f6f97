/** The one place that knows ONNX Runtime's packages: `onnxruntime-node` under Node, `onnxruntime-web` in a browser. */

/** True under Node (and other runtimes that speak its API), false in a browser. */
export const isNode =
  typeof process !== "undefined" && (process.versions as { node?: string } | undefined)?.node !== undefined;

/**
 * The runtime's module. Tensors must be made with this very module's class: the runtime tells a tensor from a plain
 * object by `instanceof`, and a second copy of `onnxruntime-common` in the process would fail that test silently.
 */
export const ort = isNode ? await import("onnxruntime-node") : await import("onnxruntime-web/webgpu");
