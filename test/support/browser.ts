/** A page in Chromium that runs this project's sources. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { chromium, type Page } from "playwright-core";
import { sendFile } from "./range-server.js";

/** An open page; `close` ends browser and server. */
export interface OpenPage {
  readonly page: Page;
  close(): Promise<void>;
}

/** How a page is served. */
export interface PageOptions {
  /** With the headers that shared memory, and so threads, ask for. Default true. */
  readonly isolated?: boolean;
}

/** ONNX Runtime fetches its WebAssembly from beside the script that asks for it. */
const RUNTIME = "node_modules/onnxruntime-web/dist";

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript",
  mjs: "text/javascript",
  wasm: "application/wasm",
};

/** Bundles `entry` for the browser, serves it on this machine and opens it; exceptions in the page reach the caller. */
export async function openPage(entry: string, { isolated = true }: PageOptions = {}): Promise<OpenPage> {
  const server = await serve(await bundle(entry), isolated);
  const { port } = server.address() as AddressInfo;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Without a GPU this flag alone brings Chromium's software WebGPU. Root has no sandbox.
    args: ["--enable-unsafe-webgpu", "--no-sandbox"],
  });
  const close = async (): Promise<void> => {
    await browser.close();
    server.close();
  };
  try {
    const page = await browser.newPage();
    await page.goto(`http://localhost:${port}/`);
    await page.waitForFunction(() => document.title !== "loading");
    const title = await page.title();
    if (title !== "ready") throw new Error(`${entry}: ${title}`);
    return { page, close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Scripts = ReadonlyMap<string, Uint8Array>;

/**
 * The page's script, the worker's beside it, and what they share: by their names. Minified as users' bundles are, so
 * that nothing may hang on the name of a class. In the bundle not one module of Node's may be needed to start.
 */
async function bundle(entry: string): Promise<Scripts> {
  const { outputFiles } = await build({
    entryPoints: { page: entry, "worker-browser": "src/generate/worker-browser.ts" },
    outdir: "scripts",
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    external: ["node:*"],
    logLevel: "error",
  });
  return new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]));
}

/** The title tells whether the script came through. */
const HTML = `<!doctype html><title>loading</title><script type="module">
  import("/page.js").then(() => (document.title = "ready"), (error) => (document.title = String(error)));
</script>`;

/** Serves the page, its scripts, the runtime's files, and the models and reference values of the repository. */
function serve(scripts: Scripts, isolated: boolean): Promise<Server> {
  const server = createServer((request, response) => {
    if (isolated) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    void answer(scripts, request, response);
  });
  // Unreferenced, so that a browser that does not start leaves nothing to wait for.
  return new Promise((resolve) => server.unref().listen(0, "localhost", () => resolve(server)));
}

async function answer(scripts: Scripts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  const name = basename(pathname);
  response.setHeader("Content-Type", TYPES[name.split(".").at(-1) ?? ""] ?? "text/html");
  if (pathname === "/") response.end(HTML);
  else if (scripts.has(name)) response.end(scripts.get(name));
  else
    await sendFile(
      request,
      response,
      /^\/(models|test\/golden)\//.test(pathname) ? `.${pathname}` : join(RUNTIME, name),
    );
}
