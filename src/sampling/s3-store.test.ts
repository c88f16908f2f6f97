import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { commitAll, plan, tasks } from "../../test/support/run.js";
import { withS3, type S3Server } from "../../test/support/s3-server.js";
import { OptionError, SamplingError } from "../errors.js";
import { findPictures } from "./pictures.js";
import { openRun, readRun } from "./run.js";
import { S3Store } from "./s3-store.js";
import { verify } from "./verify.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function inBucket(work: (store: S3Store, server: S3Server) => Promise<void>): Promise<void> {
  return withS3((server) => work(S3Store.open("s3://pictures/runs/first/", server.environment), server));
}

describe("S3Store", () => {
  it("puts, gets, describes and removes an object", () =>
    inBucket(async (store, { objects }) => {
      const path = "images/a fox (1) + ünïcode.png";
      expect(await store.get(path)).toBeUndefined();
      expect(await store.head(path)).toBeUndefined();
      await store.put(path, bytes("old"));
      await store.put(path, bytes("a picture"));
      expect(Buffer.from((await store.get(path))!).toString()).toBe("a picture");
      expect(await store.head(path)).toEqual({ path, size: 9, sha256: sha256("a picture") });
      expect([...objects.keys()]).toEqual([`runs/first/${path}`]);
      await store.remove(path);
      await store.remove(path);
      expect(objects.size).toBe(0);
    }));

  it("creates an object once", () =>
    inBucket(async (store) => {
      const made = await Promise.all(["a", "b"].map((text) => store.create("manifest.json", bytes(text))));
      expect(made.sort()).toEqual([false, true]);
    }));

  it("adds lines as objects of their own", () =>
    inBucket(async (store) => {
      await store.append("records/me.jsonl", "one\n");
      await store.append("records/me.jsonl", "two\n");
      const files = await store.list("records/");
      expect(files).toHaveLength(2);
      for (const { path } of files) expect(path).toMatch(/^records\/me-.+\.jsonl$/);
    }));

  it("lists more objects than one answer holds, and only its own", () =>
    inBucket(async (store, server) => {
      server.page = 3;
      server.objects.set("runs/firstborn/x", { bytes: Buffer.from("x"), metadata: {} });
      const paths = ["a.png", "b/c d.png", "b/e+f.png", "b/&<g>.png", "h.png", "i.png", "j.png"];
      for (const path of paths) await store.put(path, bytes(path));
      const found = await store.list();
      expect(found.map(({ path, size }) => [path, size]).sort()).toEqual(
        paths.map((path) => [path, path.length]).sort(),
      );
      expect((await store.list("b/")).map(({ path }) => path).sort()).toEqual(paths.slice(1, 4).sort());
      expect(server.requests.filter((request) => request === "GET /pictures/")).toHaveLength(4);
    }));

  it("holds a run, and trusts hashes without reading pictures", () =>
    inBucket(async (store, server) => {
      await openRun(store, plan(3, {}, { "00000/metadata.jsonl": "{}\n" }));
      await commitAll(store, tasks(2));
      const { tasks: listed } = await readRun(store);
      server.requests.length = 0;
      const found = await findPictures(store, listed);
      expect(found.map(({ state }) => state)).toEqual(["done", "done", "missing"]);
      expect(server.requests.filter((request) => request.startsWith("GET") && request.endsWith(".png"))).toEqual([]);
      await commitAll(store, tasks(3).slice(2));
      expect(await verify(store)).toMatchObject({ total: 3, done: 3, problems: [] });
    }));

  it("comes back to a store that is busy", () =>
    inBucket(async (store, server) => {
      server.refusals.push(503, 429, 500);
      await store.put("a.png", bytes("a"));
      expect(server.requests).toHaveLength(4);
      expect(server.objects.has("runs/first/a.png")).toBe(true);
    }));

  it("comes back after a connection that broke in the middle of an answer, and in the end says so in one line", async () => {
    let breaks = 2;
    let requests = 0;
    const server = createServer((_, response) => {
      requests++;
      response.writeHead(200, { "content-length": 9 });
      if (breaks-- > 0) response.write("a pic", () => response.destroy());
      else response.end("a picture");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const keys = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_ENDPOINT_URL_S3: address };
      const store = S3Store.open("s3://pictures/x", keys);
      expect(Buffer.from((await store.get("a.png"))!).toString()).toBe("a picture");
      expect(requests).toBe(3);
      breaks = Infinity;
      await expect(store.get("a.png")).rejects.toThrow(SamplingError);
      await expect(store.list()).rejects.toThrow(`s3://pictures/x: ${address} does not answer (`);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  }, 20_000);

  it("says in one line what a store refuses", () =>
    withS3(async ({ environment }) => {
      const wrong = S3Store.open("s3://pictures", { ...environment, AWS_SECRET_ACCESS_KEY: "other" });
      const refusal = new SamplingError("s3://pictures/a.png: PUT was answered by 403 (SignatureDoesNotMatch)");
      await expect(wrong.put("a.png", bytes("a"))).rejects.toThrow(refusal);
      const other = S3Store.open("s3://no-such-bucket/x", environment);
      await expect(other.put("a.png", bytes("a"))).rejects.toThrow("PUT was answered by 404 (NoSuchBucket)");
    }));

  it("says in one line that a store is not there", async () => {
    const keys = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1" };
    const store = S3Store.open("s3://pictures/x", keys);
    await expect(store.get("a.png")).rejects.toThrow(
      /^s3:\/\/pictures\/x: http:\/\/127\.0\.0\.1:1 does not answer \(.+\)$/,
    );
  });

  it.each([
    [
      "s3://",
      { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" },
      "s3://: not an address such as s3://bucket/prefix",
    ],
    ["s3://b/x", { AWS_ACCESS_KEY_ID: "a" }, "s3://b/x: not an address such as s3://bucket/prefix"],
    [
      "s3://box/x",
      { AWS_ACCESS_KEY_ID: "a" },
      "s3://box/x: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are needed, and not set",
    ],
  ])("refuses %s with %j", (place, environment, line) => {
    expect(() => S3Store.open(place, environment)).toThrow(new OptionError(line));
  });
});
