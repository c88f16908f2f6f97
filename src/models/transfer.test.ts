/** What becomes of answers that are not the file; transfers themselves are tested in test/models. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { DownloadError } from "../errors.js";
import { transfer, type RemoteFile } from "./transfer.js";

const CONTENT = Buffer.from("small");
const FILE: RemoteFile = {
  path: "weights.pth",
  address: "http://hub/weights.pth",
  size: CONTENT.byteLength,
  checksum: { algorithm: "sha256", hex: createHash("sha256").update(CONTENT).digest("hex") },
};
const OPTIONS = { access: { endpoint: "http://hub" }, retryDelay: 1 };

afterEach(() => vi.unstubAllGlobals());

/** Answers with these statuses, each with a body that never ends, and then with the file; counts cancelled bodies. */
function answers(...statuses: number[]): () => number {
  let cancelled = 0;
  const countOne = (): void => {
    cancelled++;
  };
  const endless = (): ReadableStream => new ReadableStream({ cancel: countOne });
  vi.stubGlobal("fetch", () => {
    const status = statuses.shift();
    return Promise.resolve(status === undefined ? new Response(CONTENT) : new Response(endless(), { status }));
  });
  return () => cancelled;
}

describe("an answer that is not the file", () => {
  it("is not kept open while the transfer is tried again", () =>
    inTemporaryFolder(async (folder) => {
      const cancelled = answers(503, 429);
      await transfer(FILE, join(folder, "file"), OPTIONS);
      expect(cancelled()).toBe(2);
    }));

  it("is not kept open where it is a refusal", () =>
    inTemporaryFolder(async (folder) => {
      const cancelled = answers(404);
      await expect(transfer(FILE, join(folder, "file"), OPTIONS)).rejects.toThrow(
        new DownloadError("weights.pth: not found on http://hub (404)"),
      );
      expect(cancelled()).toBe(1);
    }));
});
