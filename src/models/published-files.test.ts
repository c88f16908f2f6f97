import { writeFile, mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { ModelError } from "../errors.js";
import { findPublishedFile, INCEPTION_FILE, NETWORKS, networkNamed, torchHubFolder } from "./published-files.js";

afterEach(() => {
  vi.unstubAllEnvs();
});

it("keeps files where PyTorch's hub does", () => {
  expect(torchHubFolder({})).toBe(join(homedir(), ".cache/torch/hub/checkpoints"));
  expect(torchHubFolder({ XDG_CACHE_HOME: "/x", TORCH_HOME: "" })).toBe("/x/torch/hub/checkpoints");
  expect(torchHubFolder({ XDG_CACHE_HOME: "/x", TORCH_HOME: "/t" })).toBe("/t/hub/checkpoints");
});

it("finds a file that is there and says how to get one that is not", () =>
  inTemporaryFolder(async (folder) => {
    vi.stubEnv("TORCH_HOME", folder);
    const path = join(folder, "hub", "checkpoints", INCEPTION_FILE.name);
    await expect(findPublishedFile(INCEPTION_FILE, "inception")).rejects.toThrow(
      new ModelError(`${path}: not downloaded yet; run: scalekv download inception`),
    );
    await mkdir(join(folder, "hub", "checkpoints"), { recursive: true });
    await writeFile(path, "");
    expect(await findPublishedFile(INCEPTION_FILE, "inception")).toBe(path);
  }));

it("knows its networks by name, and by a beginning of their checksums", () => {
  expect(["lpips", "inception", "toString", "infinity-2b"].map(networkNamed)).toEqual([
    "lpips",
    "inception",
    undefined,
    undefined,
  ]);
  for (const { sha256 } of Object.values(NETWORKS).flat()) expect(sha256).toMatch(/^[0-9a-f]{8,64}$/);
});
