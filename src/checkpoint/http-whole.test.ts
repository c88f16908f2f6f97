/** The limit on files that come whole, from servers that tell no size. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { DownloadError } from "../errors.js";
import { fetchText, MAX_WHOLE_BYTES, openHttp } from "./http-source.js";

const ADDRESS = "http://somewhere/file";
/** One part that is sent again and again, so that the test needs no more memory than this. */
const PART = new Uint8Array(MAX_WHOLE_BYTES / 16).fill(7);

afterEach(() => vi.unstubAllGlobals());

/** Answers with a body of `parts` times {@link PART} and of `rest`, and tells no size. */
function answer(parts: number, rest = new Uint8Array(0)): { sent: () => number; cancelled: () => boolean } {
  let [sent, cancelled] = [0, false];
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (sent++ < parts) controller.enqueue(PART);
        else {
          if (rest.byteLength > 0) controller.enqueue(rest);
          controller.close();
        }
      },
      cancel: () => {
        cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(body)));
  return { sent: () => sent, cancelled: () => cancelled };
}

describe("a body of untold size", () => {
  it.each([
    ["a file", openHttp],
    ["a text", fetchText],
  ] as const)("is cancelled once it is too large: %s", async (_, fetchIt) => {
    const { sent, cancelled } = answer(1000);
    await expect(fetchIt(ADDRESS)).rejects.toThrow(
      new DownloadError(`${ADDRESS}: more bytes come than the 268435456 fetched whole`),
    );
    expect(cancelled()).toBe(true);
    expect(sent()).toBe(17);
  });

  it("is joined in its order", async () => {
    answer(1, Uint8Array.of(1, 2, 3));
    const source = await openHttp(ADDRESS);
    expect(source.size).toBe(PART.byteLength + 3);
    expect([...(await source.read(PART.byteLength - 1, 4))]).toEqual([7, 1, 2, 3]);
  });
});

it("a body that breaks off is an error with the reason", async () => {
  const body = new ReadableStream({ pull: (controller) => controller.error(new Error("gone")) });
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(body)));
  await expect(openHttp(ADDRESS)).rejects.toThrow(new DownloadError(`${ADDRESS}: the transfer broke off (gone)`));
});
