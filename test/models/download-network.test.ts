/** `downloadNetwork` from a server on this machine. */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { DownloadError } from "../../src/errors.js";
import { downloadNetwork } from "../../src/models/download-network.js";
import type { PublishedFile } from "../../src/models/published-files.js";
import { sendFile } from "../support/range-server.js";
import { inTemporaryFolder } from "../support/temporary.js";

const CONTENT: Readonly<Record<string, Buffer>> = {
  "features.pth": Buffer.from(Uint32Array.from({ length: 50_000 }, (_, i) => i * 2654435761).buffer),
  "weights.pth": Buffer.from("small"),
};

interface Site {
  /** Where the files have to come. */
  readonly folder: string;
  /** The files, as they are published. */
  readonly files: readonly PublishedFile[];
  /** Requests for content, one `name range` each. */
  readonly requests: readonly string[];
}

/** A server with both files and an empty cache. */
async function onSite(work: (site: Site) => Promise<void>): Promise<void> {
  await inTemporaryFolder(async (root) => {
    vi.stubEnv("TORCH_HOME", join(root, "torch"));
    for (const [name, content] of Object.entries(CONTENT)) await writeFile(join(root, name), content);
    const requests: string[] = [];
    const server = createServer((request, response) => {
      const name = basename(request.url ?? "");
      requests.push(`${name} ${request.headers.range ?? ""}`);
      // This server wants the end of a range as well.
      const { range } = request.headers;
      if (range?.endsWith("-")) request.headers.range = `${range}99999999`;
      void sendFile(request, response, join(root, name));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const files = Object.entries(CONTENT).map(([name, content]) => ({
      name,
      address: `${endpoint}/published/${name}`,
      sha256: createHash("sha256").update(content).digest("hex").slice(0, 8),
    }));
    try {
      await work({ folder: join(root, "torch", "hub", "checkpoints"), files, requests });
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("downloadNetwork", () => {
  it("brings a network's files into the folder of PyTorch's hub, and tells how far it is", () =>
    onSite(async ({ folder, files }) => {
      const received: number[] = [];
      const onProgress = (progress: { received: number; total: number }): void => {
        expect(progress.total).toBe(200_005);
        received.push(progress.received);
      };
      expect(await downloadNetwork("lpips", { onProgress }, files)).toEqual({ files: 2, bytes: 200_005 });
      expect((await readdir(folder)).sort()).toEqual(Object.keys(CONTENT).sort());
      for (const [name, content] of Object.entries(CONTENT)) {
        expect((await readFile(join(folder, name))).equals(content)).toBe(true);
      }
      expect(received).toEqual([...received].sort((a, b) => a - b));
      expect(received.at(-1)).toBe(200_005);
    }));

  it("leaves alone what is there, whoever brought it, and goes on where a transfer stopped", () =>
    onSite(async ({ folder, files, requests }) => {
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, "weights.pth"), CONTENT["weights.pth"]!);
      await writeFile(join(folder, "features.pth.incomplete"), CONTENT["features.pth"]!.subarray(0, 70_000));
      await downloadNetwork("lpips", {}, files);
      expect(requests).toEqual(["features.pth bytes=0-0", "features.pth bytes=70000-"]);
      expect((await readFile(join(folder, "features.pth"))).equals(CONTENT["features.pth"]!)).toBe(true);
    }));

  it("refuses content with another checksum than its name says", () =>
    onSite(async ({ folder, files }) => {
      const wrong = files.map((file) => ({ ...file, sha256: "00000000" }));
      await expect(downloadNetwork("lpips", {}, wrong)).rejects.toThrow(
        /^features\.pth: damaged transfer, removed: sha256 is [0-9a-f]{64}, expected 00000000$/,
      );
      expect(await readdir(folder)).toEqual([]);
    }));

  it("says in one line what it cannot have", () =>
    onSite(async ({ files }) => {
      const elsewhere = files.map((file) => ({ ...file, address: file.address.replace(".pth", ".pt") }));
      const origin = new URL(files[0]!.address).origin;
      await expect(downloadNetwork("lpips", {}, elsewhere)).rejects.toThrow(
        new DownloadError(`features.pth: not found on ${origin} (404)`),
      );
      const closed = files.map((file) => ({ ...file, address: "http://127.0.0.1:1/x.pth" }));
      await expect(downloadNetwork("lpips", {}, closed)).rejects.toThrow(
        /^features\.pth: no answer from http:\/\/127\.0\.0\.1:1 \(/,
      );
    }));
});
