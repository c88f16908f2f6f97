/** The one place that knows ONNX Runtime's packages: `onnxruntime-node` under Node, `onnxruntime-web` in a browser. */
import { OptionError } from "../errors.js";
import { isNode } from "./platform.js";

export { isNode } from "./platform.js";

// On Linux it otherwise collects events about sessions to send to its makers, in a database in the user's home and files in
// the temporary folder that nobody removes (onnxruntime-node 1.30). It reads the variable when it is loaded.
if (isNode) process.env.ORT_DISABLE_TELEMETRY ??= "1";

/**
 * The runtime's module. Tensors must be made with this very module's class: the runtime tells a tensor from a plain
 * object by `instanceof`, and a second copy of `onnxruntime-common` in the process would fail that test silently.
 */
export const ort = isNode ? await import("onnxruntime-node") : await import("onnxruntime-web/webgpu");

/** What the WebAssembly build has to know before its first session. */
export interface WasmOptions {
  /** Address of the folder with ONNX Runtime's `.wasm` and `.mjs` files, ending in `/`. Default: beside the script. */
  readonly wasmPaths?: string | undefined;
  /** Threads of all sessions together. Default: ONNX Runtime's own choice; one where the page is not isolated. */
  readonly threads?: number | undefined;
}

/** Sets up the WebAssembly build; under Node `wasmPaths` is an {@link OptionError}, as nothing there would read it. */
export function configureWasm({ wasmPaths, threads }: WasmOptions): void {
  if (isNode) {
    if (wasmPaths !== undefined) throw new OptionError(`wasmPaths ${wasmPaths}: is for browsers only`);
    return;
  }
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
  if (threads !== undefined) ort.env.wasm.numThreads = threads;
}

// Its errors reach us as exceptions; its own log would say them a second time, in its own words.
ort.env.logLevel = "fatal";
