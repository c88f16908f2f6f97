/** The public API in a browser's bundle: what it needs there, and what it brings along. */
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

interface Bundled {
  /** Modules of Node's that are needed before anything runs. */
  readonly needed: readonly string[];
  /** Packages that left something in the bundle. */
  readonly packages: readonly string[];
}

/** Bundles a page's script that re-exports `names` of the public API. */
async function bundle(names: string): Promise<Bundled> {
  const { metafile } = await build({
    stdin: { contents: `export ${names} from "./src/index.js";`, resolveDir: process.cwd(), loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    external: ["node:*"],
    metafile: true,
    logLevel: "error",
  });
  const { imports, inputs } = Object.values(metafile.outputs)[0]!;
  const brought = Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const packages = brought.flatMap(([path]) => /node_modules\/(@[^/]+\/[^/]+|[^/]+)/.exec(path)?.[1] ?? []);
  return {
    needed: imports.filter(({ kind }) => kind === "import-statement").map(({ path }) => path),
    packages: [...new Set(packages)].sort(),
  };
}

describe("the public API in a browser's bundle", () => {
  it("starts without Node, and without ONNX Runtime, which the worker loads", async () => {
    expect(await bundle("*")).toEqual({ needed: [], packages: ["comlink", "zod"] });
  });

  it("brings along only what is used", async () => {
    expect(await bundle("{ pipeline, POLICY_NAMES, psnr }")).toEqual({ needed: [], packages: ["comlink"] });
  });
});
