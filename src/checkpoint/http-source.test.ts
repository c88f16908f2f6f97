import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { sendFile } from "../../test/support/range-server.js";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { CheckpointError, DownloadError } from "../errors.js";
import { fetchText, isMissing, MAX_WHOLE_BYTES, openHttp } from "./http-source.js";

const BYTES = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) % 251);

const running: (() => void)[] = [];
afterEach(() => running.splice(0).forEach((stop) => stop()));

/** Serves until the test is over; the address of `/file`. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  running.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
}

/** Answers the opening request as for a file of 1000 bytes, all others by `read`. */
function serveRange(read: RequestListener): Promise<string> {
  return serve((request, response) => {
    if (request.headers.range !== "bytes=0-0") read(request, response);
    else response.writeHead(206, { "Content-Range": "bytes 0-0/1000" }).end("x");
  });
}

describe("a file on a server that sends ranges", () => {
  it("is read range by range, each asked for once", () =>
    inTemporaryFolder(async (folder) => {
      const file = join(folder, "file");
      await writeFile(file, BYTES);
      const asked: (string | undefined)[] = [];
      const address = await serve((request, response) => {
        asked.push(request.headers.range);
        void sendFile(request, response, file);
      });
      const source = await openHttp(address);
      expect(source).toMatchObject({ name: address, size: 1000 });
      expect(source.path).toBeUndefined();
      const range = fc.tuple(fc.nat(1000), fc.nat(1000)).map((ends) => ends.sort((a, b) => a - b));
      const property = fc.asyncProperty(range, async ([start, end]) => {
        asked.length = 0;
        expect(await source.read(start, end - start)).toEqual(BYTES.slice(start, end));
        expect(asked).toEqual(start === end ? [] : [`bytes=${start}-${end - 1}`]);
      });
      await fc.assert(property, { numRuns: 30 });
      await expect(source.read(990, 11)).rejects.toThrow(CheckpointError);
    }));

  it("is refused once it is another file", async () => {
    const source = await openHttp(
      await serveRange((_, response) => response.writeHead(206, { "Content-Range": "bytes 2-3/1001" }).end("xx")),
    );
    await expect(source.read(2, 2)).rejects.toThrow(
      new DownloadError(`${source.name}: changed on the server while it was read`),
    );
  });

  it("is refused where fewer bytes come than were asked for", async () => {
    const source = await openHttp(
      await serveRange((_, response) => response.writeHead(206, { "Content-Range": "bytes 2-4/1000" }).end("xx")),
    );
    await expect(source.read(2, 3)).rejects.toThrow(
      new DownloadError(`${source.name}: 2 bytes came where 3 were asked for`),
    );
  });

  it("is refused where the connection breaks", async () => {
    const source = await openHttp(
      await serveRange((_, response) => {
        response.writeHead(206, { "Content-Range": "bytes 0-9/1000", "Content-Length": 10 }).write("xx");
        setTimeout(() => response.destroy(), 20);
      }),
    );
    await expect(source.read(0, 10)).rejects.toThrow(/^http:.*\/file: the transfer broke off \(.+\)$/);
  });

  it("is refused where its size is not told", async () => {
    const address = await serve((_, response) => response.writeHead(206, { "Content-Range": "bytes 0-0/*" }).end("x"));
    await expect(openHttp(address)).rejects.toThrow(
      new DownloadError(`${address}: the server does not tell the file's size (header Content-Range)`),
    );
  });
});

describe("a file on a server that sends no ranges", () => {
  it("is fetched whole, once", async () => {
    let requests = 0;
    const address = await serve((_, response) => {
      requests++;
      response.end(BYTES);
    });
    const source = await openHttp(address);
    expect(source).toMatchObject({ name: address, size: 1000 });
    expect(await source.read(10, 20)).toEqual(BYTES.slice(10, 30));
    expect(await source.read(0, 1000)).toEqual(BYTES);
    expect(requests).toBe(1);
  });

  it("is refused where it is large", async () => {
    const address = await serve((_, response) =>
      response.writeHead(200, { "Content-Length": MAX_WHOLE_BYTES + 1 }).write("x"),
    );
    await expect(openHttp(address)).rejects.toThrow(
      `${address}: the server sends no ranges of files, and 268435457 bytes are more than the 268435456 fetched whole`,
    );
  });
});

describe("what a server answers otherwise", () => {
  it("is an error with the status", async () => {
    const address = await serve((_, response) => response.writeHead(403).end());
    await expect(openHttp(address)).rejects.toThrow(new DownloadError(`${address}: HTTP status 403 Forbidden`));
    await expect(fetchText(address)).rejects.toThrow(new DownloadError(`${address}: HTTP status 403 Forbidden`));
  });

  it("is an error where nobody answers", async () => {
    const address = await serve(() => undefined);
    running.splice(0).forEach((stop) => stop());
    await expect(openHttp(address)).rejects.toThrow(/^http:.*\/file: cannot be fetched \(.*ECONNREFUSED.*\)$/);
  });

  it("tells a missing file from one that is there or may not be seen", async () => {
    const statuses = [404, 200, 403];
    const address = await serve((_, response) => response.writeHead(statuses.shift() ?? 500).end());
    expect([await isMissing(address), await isMissing(address), await isMissing(address)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
