/** Models by address: the same parts as from a folder, and the same refusals. */
import { copyFile, cp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readFloat32 } from "../../src/checkpoint/read.js";
import { loadTokenizer } from "../../src/generate/tokenizer.js";
import { resolveModel } from "../../src/models/folder.js";
import { openModelAt } from "../../src/models/remote.js";
import { sendFile } from "../support/range-server.js";
import { inTemporaryFolder } from "../support/temporary.js";

/** What is served; a test may change it. */
let root = ".";
let server: Server;
let base: string;
const asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.range ?? ""}`);
    void sendFile(request, response, join(root, request.url ?? ""));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => server.close());

/** Serves another folder while `work` runs. */
function serving<T>(work: (folder: string) => Promise<T>): Promise<T> {
  return inTemporaryFolder(async (folder) => {
    root = folder;
    try {
      return await work(folder);
    } finally {
      root = ".";
    }
  });
}

const TINY = "models/tiny";
const at = (path: string): string => base + path;

describe("a model by address", () => {
  it("is what its folder gives, weight by weight, each fetched once", async () => {
    const parts = { vae: at(`${TINY}/vae.pth`), textEncoder: at(`${TINY}/t5/`) };
    const remote = await openModelAt(at(`${TINY}/infinity.pth`), parts);
    const local = await resolveModel(TINY);
    expect(remote.name).toBe(at(`${TINY}/infinity.pth`));
    expect(remote.defaults).toEqual(local.defaults);
    asked.length = 0;
    for (const part of ["infinity", "vae", "textEncoder"] as const) {
      expect(remote[part].config).toEqual(local[part].config);
      expect([...remote[part].tensors.keys()]).toEqual([...local[part].tensors.keys()]);
    }
    for (const [name, tensor] of remote.infinity.tensors) {
      const [found, expected] = [await readFloat32(tensor), await readFloat32(local.infinity.tensors.get(name)!)];
      expect(Buffer.compare(new Uint8Array(found.buffer), new Uint8Array(expected.buffer)), name).toBe(0);
    }
    expect(asked).toHaveLength(remote.infinity.tensors.size);
    expect(new Set(asked).size).toBe(asked.length);
    const tokenizer = await loadTokenizer(remote.textEncoder);
    expect(tokenizer.encode("a red fox")).toEqual((await loadTokenizer(local.textEncoder)).encode("a red fox"));
    await local.close();
    await remote.close();
  });

  it("takes a text encoder's folder without its slash, or its weights", async () => {
    for (const textEncoder of [at(`${TINY}/t5`), at(`${TINY}/t5/model.safetensors`)]) {
      const model = await openModelAt(at(`${TINY}/infinity.pth`), { vae: at(`${TINY}/vae.pth`), textEncoder });
      expect(model.textEncoder).toMatchObject({ path: at(`${TINY}/t5/model.safetensors`), config: { width: 256 } });
      await model.close();
    }
  });

  it("takes a text encoder in shards", () =>
    serving(async (folder) => {
      await cp(TINY, folder, { recursive: true });
      const local = await resolveModel(TINY);
      const shard = "model-00001-of-00001.safetensors";
      await copyFile(join(folder, "t5", "model.safetensors"), join(folder, "t5", shard));
      await rm(join(folder, "t5", "model.safetensors"));
      const names = [...local.textEncoder.tensors.keys()].map((name) => [name, shard]);
      const index = { weight_map: Object.fromEntries(names) as Record<string, string> };
      await writeFile(join(folder, "t5", "model.safetensors.index.json"), JSON.stringify(index));
      const model = await openModelAt(at("infinity.pth"), { vae: at("vae.pth"), textEncoder: at("t5/") });
      expect(model.textEncoder.tensors.size).toBe(names.length);
      expect(model.textEncoder.tensors.get("shared.weight")!.source.name).toBe(at(`t5/${shard}`));
      await model.close();
      await local.close();
    }));
});

describe("a model by address is refused", () => {
  const vae = (): string => at(`${TINY}/vae.pth`);
  const textEncoder = (): string => at(`${TINY}/t5/`);
  const open = (parts: Parameters<typeof openModelAt>[1]): Promise<unknown> =>
    openModelAt(at(`${TINY}/infinity.pth`), parts);

  it("without the address of a part", async () => {
    await expect(open({ textEncoder: textEncoder() })).rejects.toThrow(
      /infinity\.pth: option vae must give an address/,
    );
    await expect(open({ vae: vae() })).rejects.toThrow(/infinity\.pth: option textEncoder must give an address/);
  });

  it("with a wrong part", async () => {
    await expect(open({ vae: at(`${TINY}/infinity.pth`), textEncoder: textEncoder() })).rejects.toThrow(
      /infinity\.pth: expected autoencoder \(VAE\), found Infinity transformer$/,
    );
    await expect(open({ vae: at("test/golden/models/patchify/vae.pth"), textEncoder: textEncoder() })).rejects.toThrow(
      /a wrong VAE: its 14 bits do not make the 16 bits of a token of http/,
    );
    await expect(open({ vae: vae(), textEncoder: at("test/golden/models/t5/") })).rejects.toThrow(
      /a wrong text encoder: its width is 64, the model needs 256$/,
    );
  });

  it("where a file is missing, or is not JSON", () =>
    serving(async (folder) => {
      await cp(TINY, folder, { recursive: true });
      const parts = { vae: at("vae.pth"), textEncoder: at("t5/") };
      await writeFile(join(folder, "t5", "config.json"), "<html>");
      await expect(openModelAt(at("infinity.pth"), parts)).rejects.toThrow(/^http:.*\/t5\/config\.json: is not JSON$/);
      await rm(join(folder, "t5", "config.json"));
      await expect(openModelAt(at("infinity.pth"), parts)).rejects.toThrow(
        /^http:.*\/t5\/config\.json: HTTP status 404 Not Found$/,
      );
    }));
});
