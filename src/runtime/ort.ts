/** The one place that knows ONNX Runtime's packages: `onnxruntime-node` under Node, `onnxruntime-web` in a browser. */
import type * as Ort from "onnxruntime-common";

/** True under Node (and other runtimes that speak its API), false in a browser. */
export const isNode = typeof process !== "undefined" && typeof process.versions?.node === "string";

let loaded: Promise<typeof Ort> | undefined;

/** The runtime's module, loaded on first use. */
export function loadOrt(): Promise<typeof Ort> {
  loaded ??= isNode ? import("onnxruntime-node") : import("onnxruntime-web/webgpu");
  return loaded;
}
