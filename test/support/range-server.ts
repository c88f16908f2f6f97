/** Answers requests for files on this machine, whole or in ranges, as servers of static files do. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";

/** Sends a file, or the range of it that the request asks for; 404 where there is none. */
export async function sendFile(request: IncomingMessage, response: ServerResponse, file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) {
    response.writeHead(404).end();
    return;
  }
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  const start = Number(first ?? 0);
  const end = Math.min(Number(last ?? Infinity), found.size - 1);
  const ranged = first !== undefined;
  response.writeHead(ranged ? 206 : 200, {
    "Accept-Ranges": "bytes",
    "Content-Length": end - start + 1,
    ...(ranged ? { "Content-Range": `bytes ${start}-${end}/${found.size}` } : {}),
  });
  if (request.method === "HEAD") response.end();
  else createReadStream(file, { start, end }).pipe(response);
}
