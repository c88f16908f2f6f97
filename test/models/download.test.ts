/** `downloadModel` against a hub on this machine: the cache's layout, resumed and damaged transfers, refusals. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { lstat, mkdir, readFile, readdir, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { DownloadError } from "../../src/errors.js";
import { downloadModel, type DownloadOptions } from "../../src/models/download.js";
import { hubAccess } from "../../src/models/hub-files.js";
import { checksumOf, COMMIT, startHub, type Fault, type HubServer, type ServedFile } from "../support/hub-server.js";
import { inTemporaryFolder } from "../support/temporary.js";

/** Content that no two places of a file share. */
function content(length: number, large: boolean): ServedFile {
  return { content: Buffer.from(Uint32Array.from({ length: length / 4 }, (_, i) => i * 2654435761).buffer), large };
}

const TRANSFORMER = "infinity_125M_256x256.pth";
const INFINITY = {
  [TRANSFORMER]: content(400_000, true),
  "infinity_vae_d16.pth": content(4_000, true),
  "README.md": content(40, false),
};
const T5 = {
  "config.json": content(400, false),
  "tokenizer.json": content(800, false),
  "tokenizer_config.json": content(80, false),
  "model.safetensors.index.json": content(120, false),
  "model-00001-of-00002.safetensors": content(8_000, true),
  "model-00002-of-00002.safetensors": content(4_000, true),
  "pytorch_model-00001-of-00001.bin": content(8_000, true),
};
const REPOS = { "FoundationVision/Infinity": INFINITY, "google/flan-t5-xl": T5 };
const BYTES = 400_000 + 4_000 + 400 + 800 + 80 + 120 + 8_000 + 4_000;

type Request = (path: string, attempt: number) => Fault | undefined;

interface Site {
  readonly hub: HubServer;
  /** The cache's root. */
  readonly cache: string;
  readonly download: (options?: DownloadOptions) => ReturnType<typeof downloadModel>;
}

/** A hub, an empty cache, and downloads of the small model from one to the other. */
async function onSite(work: (site: Site) => Promise<void>, fault?: Request): Promise<void> {
  await inTemporaryFolder(async (cache) => {
    vi.stubEnv("HF_HUB_CACHE", cache);
    const hub = await startHub(REPOS, fault);
    const access = { endpoint: hub.endpoint, token: undefined };
    try {
      await work({
        hub,
        cache,
        download: (options) => downloadModel("infinity-125m", { access, retryDelay: 1, ...options }),
      });
    } finally {
      await hub.close();
    }
  });
}

/** A fault in the first answers for the transformer. */
const firstTime =
  (fault: Fault): Request =>
  (path, attempt) =>
    path === TRANSFORMER && attempt === 1 ? fault : undefined;
const always =
  (fault: Fault): Request =>
  (path) =>
    path === TRANSFORMER ? fault : undefined;

const infinityFolder = (cache: string) => join(cache, "models--FoundationVision--Infinity");
const blobOf = (cache: string) => join(infinityFolder(cache), "blobs", checksumOf(INFINITY[TRANSFORMER]));

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("downloadModel", () => {
  it("lays the wanted files out as the Hugging Face cache does", () =>
    onSite(async ({ cache, download }) => {
      expect(await download()).toEqual({ files: 8, bytes: BYTES });
      const folder = infinityFolder(cache);
      expect(await readFile(join(folder, "refs", "main"), "utf8")).toBe(COMMIT);
      const snapshot = join(folder, "snapshots", COMMIT);
      expect((await readdir(snapshot)).sort()).toEqual([TRANSFORMER, "infinity_vae_d16.pth"]);
      const link = join(snapshot, TRANSFORMER);
      expect(await readlink(link)).toBe(join("..", "..", "blobs", checksumOf(INFINITY[TRANSFORMER])));
      expect((await readFile(link)).equals(INFINITY[TRANSFORMER].content)).toBe(true);
      const encoder = await readdir(join(cache, "models--google--flan-t5-xl", "snapshots", COMMIT));
      expect(encoder.sort()).toEqual(
        Object.keys(T5)
          .filter((name) => !name.endsWith(".bin"))
          .sort(),
      );
    }));

  it("asks for no content a second time", () =>
    onSite(async ({ hub, download }) => {
      await download();
      const before = hub.requests.length;
      await download();
      expect(hub.requests).toHaveLength(before);
    }));

  it("brings the text encoder alone by its own name", () =>
    onSite(async ({ hub, cache }) => {
      const access = { endpoint: hub.endpoint };
      expect(await downloadModel("flan-t5-xl", { access })).toEqual({ files: 6, bytes: 13_400 });
      expect(await readdir(cache)).toEqual(["models--google--flan-t5-xl"]);
    }));

  it("tells how many bytes of all are here, never fewer than before", () =>
    onSite(async ({ download }) => {
      const received: number[] = [];
      await download({
        onProgress: (progress) => {
          expect(progress.total).toBe(BYTES);
          received.push(progress.received);
        },
      });
      expect(received).toEqual([...received].sort((a, b) => a - b));
      expect(received.at(-1)).toBe(BYTES);
    }));

  it("sends the token it was given, and none otherwise", () =>
    onSite(async ({ hub, download }) => {
      await download();
      expect(hub.tokens.size).toBe(0);
      await downloadModel("infinity-125m", { access: { endpoint: hub.endpoint, token: "hf_secret" } });
      expect([...hub.tokens]).toEqual(["Bearer hf_secret"]);
    }));
});

describe("a transfer that breaks off", () => {
  it("goes on by itself from the byte it came to", () =>
    onSite(
      async ({ hub, cache, download }) => {
        await download();
        const [first, second, ...rest] = hub.requests.filter((each) => each.startsWith(TRANSFORMER));
        expect([first, rest]).toEqual([`${TRANSFORMER} 0`, []]);
        expect(Number(second?.split(" ")[1])).toBeGreaterThan(0);
        expect((await readFile(blobOf(cache))).equals(INFINITY[TRANSFORMER].content)).toBe(true);
      },
      firstTime({ breakAfter: 150_000 }),
    ));

  it("is resumed by the next download", () =>
    onSite(
      async ({ hub, cache, download }) => {
        await expect(download({ retries: 0 })).rejects.toThrow(
          /^infinity_125M_256x256\.pth: the transfer broke off after \d+ of 400000 bytes \(.+\); the next attempt goes on from there$/,
        );
        await expect(lstat(blobOf(cache))).rejects.toThrow("ENOENT");
        const { size } = await lstat(`${blobOf(cache)}.incomplete`);
        expect(size).toBeGreaterThan(0);
        await download({ retries: 0 });
        expect(hub.requests).toContain(`${TRANSFORMER} ${size}`);
        expect((await readFile(blobOf(cache))).equals(INFINITY[TRANSFORMER].content)).toBe(true);
      },
      firstTime({ breakAfter: 150_000 }),
    ));

  it("starts over where the server knows no ranges", () =>
    onSite(
      async ({ cache, download }) => {
        await mkdir(join(infinityFolder(cache), "blobs"), { recursive: true });
        await writeFile(`${blobOf(cache)}.incomplete`, INFINITY[TRANSFORMER].content.subarray(0, 1000));
        await download();
        expect((await readFile(blobOf(cache))).equals(INFINITY[TRANSFORMER].content)).toBe(true);
      },
      always({ ignoreRange: true }),
    ));

  it("is tried again while the hub is busy, and given up in the end", () =>
    onSite(
      async ({ hub, download }) => {
        await expect(download({ retries: 2 })).rejects.toThrow(/broke off after 0 of 400000 bytes \(status 503\)/);
        expect(hub.requests.filter((each) => each.startsWith(TRANSFORMER))).toHaveLength(3);
      },
      always({ status: 503 }),
    ));

  it("stops when it is told to", () =>
    onSite(async ({ cache, download }) => {
      const controller = new AbortController();
      const reason = new Error("stop");
      const onProgress = () => {
        controller.abort(reason);
      };
      await expect(download({ signal: controller.signal, onProgress })).rejects.toBe(reason);
      await expect(lstat(join(infinityFolder(cache), "refs"))).rejects.toThrow("ENOENT");
    }));
});

describe("a damaged transfer", () => {
  const flipped = (bytes: Buffer) => {
    const changed = Buffer.from(bytes);
    changed[77_777] = (changed[77_777] ?? 0) ^ 1;
    return changed;
  };

  it("is refused, removed, and never under its final name", () =>
    onSite(
      async ({ cache, download }) => {
        await expect(download()).rejects.toThrow(
          new RegExp(
            `^${TRANSFORMER}: damaged transfer, removed: sha256 is [0-9a-f]{64}, expected ${checksumOf(INFINITY[TRANSFORMER])}$`,
          ),
        );
        expect(await readdir(join(infinityFolder(cache), "blobs"))).toEqual([]);
        await expect(lstat(join(infinityFolder(cache), "refs"))).rejects.toThrow("ENOENT");
      },
      always({ corrupt: flipped }),
    ));

  it("is refused in small files too, by Git's checksum", () =>
    onSite(
      async ({ download }) => {
        await expect(download()).rejects.toThrow(/^config\.json: damaged transfer, removed: git-sha1 is /);
      },
      (path) => (path === "config.json" ? { corrupt: (bytes) => Buffer.from(bytes).fill(1, 0, 4) } : undefined),
    ));

  it("is refused where it is longer than the file", () =>
    onSite(
      async ({ cache, download }) => {
        await expect(download()).rejects.toThrow(`${TRANSFORMER}: damaged transfer: more than the 400000 bytes`);
        expect((await lstat(`${blobOf(cache)}.incomplete`)).size).toBe(0);
      },
      always({ corrupt: (bytes) => Buffer.concat([bytes, bytes]) }),
    ));
});

describe("a refusal", () => {
  it.each([
    [401, "refuses access (401); set HF_TOKEN to a token that may read it"],
    [404, "(404)"],
  ])("with status %i is one clear line", (status, message) =>
    onSite(async ({ download }) => {
      const error: unknown = await download().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(DownloadError);
      expect((error as Error).message).toContain(message);
    }, always({ status })),
  );

  it("names a file the repository does not have", async () => {
    const hub = await startHub({ ...REPOS, "FoundationVision/Infinity": {} });
    await expect(downloadModel("infinity-125m", { access: { endpoint: hub.endpoint } })).rejects.toThrow(
      `FoundationVision/Infinity: the repository has no ${TRANSFORMER}`,
    );
    await hub.close();
  });

  it("names a repository the hub does not have", async () => {
    const hub = await startHub({ "google/flan-t5-xl": T5 });
    await expect(downloadModel("infinity-125m", { access: { endpoint: hub.endpoint } })).rejects.toThrow(
      `FoundationVision/Infinity: not found on ${hub.endpoint} (404)`,
    );
    await hub.close();
  });

  it("says that nobody answers where there is no network", async () => {
    const hub = await startHub({});
    await hub.close();
    await expect(downloadModel("infinity-125m", { access: { endpoint: hub.endpoint } })).rejects.toThrow(
      /^\S+: no answer from http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)$/,
    );
  });

  it("comes before a download that no disk can hold", () =>
    inTemporaryFolder(async (cache) => {
      vi.stubEnv("HF_HUB_CACHE", cache);
      const hub = await startFalseHub({ size: Number.MAX_SAFE_INTEGER });
      await expect(downloadModel("infinity-125m", { access: { endpoint: hub.endpoint } })).rejects.toThrow(
        /GiB are needed, [\d.]+ GiB are free; HF_HOME names another place$/,
      );
      hub.close();
    }));

  it.each([{ oid: "../../../.bashrc" }, { size: -1 }, { oid: "0".repeat(39) }])(
    "is what a malformed listing gets: %j",
    async (entry) => {
      const hub = await startFalseHub(entry);
      await expect(downloadModel("infinity-125m", { access: { endpoint: hub.endpoint } })).rejects.toThrow(
        / is malformed$/,
      );
      hub.close();
    },
  );

  it("is what a path out of the cache gets", async () => {
    const hub = await startFalseHub({ path: "infinity_8b_weights/../../../.bashrc" });
    await expect(downloadModel("infinity-8b", { access: { endpoint: hub.endpoint } })).rejects.toThrow(
      /the hub's entry for "infinity_8b_weights\/\.\.\/\.\.\/\.\.\/\.bashrc" is malformed$/,
    );
    hub.close();
  });

  it("comes where the cache cannot be written", () =>
    onSite(async ({ cache, download }) => {
      const file = infinityFolder(cache);
      await writeFile(file, "");
      await expect(download()).rejects.toThrow(
        new DownloadError(`${join(file, "blobs")}: cannot be written (ENOTDIR)`),
      );
    }));

  it("is what an unknown name gets", async () => {
    await expect(downloadModel("infinity-3b")).rejects.toThrow(
      "infinity-3b: no published model has this name (infinity-2b,",
    );
  });
});

/** A hub whose listings hold every wanted file with these fields changed. */
async function startFalseHub(fields: object): Promise<{ endpoint: string; close(): void }> {
  const names = [...Object.keys(INFINITY), ...Object.keys(T5)];
  const listing = names.map((path) => ({ type: "file", path, size: 1, oid: "0".repeat(40), ...fields }));
  const server = createServer((request, response) => {
    const body = request.url?.includes("/tree/") ? listing : { id: "x", sha: COMMIT };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

describe("hubAccess", () => {
  it("reads address and token from the environment", () => {
    expect(hubAccess({})).toEqual({ endpoint: "https://huggingface.co", token: undefined });
    expect(hubAccess({ HF_ENDPOINT: "http://mirror/", HF_TOKEN: "hf_x" })).toEqual({
      endpoint: "http://mirror",
      token: "hf_x",
    });
    expect(hubAccess({ HF_ENDPOINT: "", HF_TOKEN: "" })).toEqual({
      endpoint: "https://huggingface.co",
      token: undefined,
    });
    expect(() => hubAccess({ HF_ENDPOINT: "mirror" })).toThrow(
      new DownloadError("HF_ENDPOINT: mirror is not a web address"),
    );
    expect(() => hubAccess({ HF_TOKEN: "secret" })).toThrow(
      new DownloadError("HF_TOKEN: an access token starts with hf_"),
    );
  });
});
