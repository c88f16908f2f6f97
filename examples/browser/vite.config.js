/** What Vite has to know to serve and build a page with scalekv. */
import { fileURLToPath } from "node:url";

export default {
  // The repository, where dist/ and models/ lie; a project of yours needs no such line.
  root: fileURLToPath(new URL("../..", import.meta.url)),
  server: {
    open: "/examples/browser/index.html",
    // They isolate the page, so that the worker may use several threads; without them it uses one.
    headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
  },
  // Scripts that find others from beside themselves must stay where they are.
  optimizeDeps: { exclude: ["onnxruntime-web", "scalekv"] },
  // The worker loads ONNX Runtime as a module of its own.
  worker: { format: "es" },
};
