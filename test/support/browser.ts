/** A page in Chromium that runs this project's sources. */
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { chromium, type Page } from "playwright-core";

/** An open page; `close` ends browser and server. */
export interface OpenPage {
  readonly page: Page;
  close(): Promise<void>;
}

/** ONNX Runtime fetches its WebAssembly from beside the script that asks for it. */
const RUNTIME = "node_modules/onnxruntime-web/dist";

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript",
  mjs: "text/javascript",
  wasm: "application/wasm",
};

/** Bundles `entry` for the browser, serves it on this machine and opens it; exceptions in the page reach the caller. */
export async function openPage(entry: string): Promise<OpenPage> {
  const server = await serve(await bundle(entry));
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

async function bundle(entry: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    external: ["onnxruntime-node", "node:*"],
    logLevel: "error",
  });
  return outputFiles[0]!.contents;
}

/** The title tells whether the script came through. */
const HTML = `<!doctype html><title>loading</title><script type="module">
  import("/page.js").then(() => (document.title = "ready"), (error) => (document.title = String(error)));
</script>`;

/** Serves the page, its script and the runtime's files, isolated as shared memory (threads) asks for. */
function serve(script: Uint8Array): Promise<Server> {
  const server = createServer((request, response) => {
    const name = basename(request.url ?? "");
    const content = name === "" ? HTML : name === "page.js" ? script : readFile(join(RUNTIME, name));
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    response.setHeader("Content-Type", TYPES[name.split(".").at(-1) ?? ""] ?? "text/html");
    Promise.resolve(content).then(
      (body) => response.end(body),
      () => response.writeHead(404).end(),
    );
  });
  // Unreferenced, so that a browser that does not start leaves nothing to wait for.
  return new Promise((resolve) => server.unref().listen(0, "localhost", () => resolve(server)));
}
