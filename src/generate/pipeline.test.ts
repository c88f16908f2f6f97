/** The ends of a model in a worker, with an engine that only waits. Both sides of the border run here, messages between them. */
import * as comlink from "comlink";
import { afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from "vitest";
import { DisposedError } from "../errors.js";
import { Engine } from "./engine.js";
import { pipeline } from "./pipeline.js";
import type { Draw, DrawOptions, DrawResult } from "./types.js";
import { startWorker, type RunningWorker } from "./worker-thread.js";
import { EngineHost } from "./worker.js";

vi.mock("./worker-thread.js", () => ({ startWorker: vi.fn() }));

/** What happened, in its order. */
let events: string[];
/** What the engine does with a drawing. */
let drawing: (options: DrawOptions) => Promise<void>;
let disposing: () => Promise<void>;
const hosts: EngineHost[] = [];

/** Draws until it is told to stop, and takes its time to do so. */
async function untilAborted({ signal }: DrawOptions): Promise<void> {
  events.push("drawing");
  await new Promise((resolve) => signal?.addEventListener("abort", resolve));
  await new Promise((resolve) => setTimeout(resolve, 20));
  events.push("drawn no more");
  signal?.throwIfAborted();
}

const engine = {
  draw: async (_: readonly string[], options: DrawOptions) => {
    await drawing(options);
    return { images: [] } as unknown as DrawResult;
  },
  dispose: async () => {
    events.push("engine disposed of");
    await disposing();
  },
};

/** Ports in the place of a worker. In a browser nobody hears of its end; under Node its exit is an event. */
function worker(place: "browser" | "node"): RunningWorker {
  const { port1, port2 } = new MessageChannel();
  const host = new EngineHost(() => Promise.reject(new Error("no files")));
  hosts.push(host);
  comlink.expose(host, port2);
  let exit = (): void => undefined;
  const died = new Promise<never>((_, reject) => {
    if (place === "node") exit = () => reject(new Error("the engine's worker ended with code 1"));
  });
  died.catch(() => undefined);
  return {
    endpoint: port1,
    died,
    locate: (path) => path,
    end: () => {
      events.push("worker ended");
      port2.close();
      exit();
      return Promise.resolve();
    },
  };
}

let loading: MockInstance<typeof Engine.load>;
beforeEach(() => {
  events = [];
  drawing = untilAborted;
  disposing = () => Promise.resolve();
  loading = vi.spyOn(Engine, "load").mockImplementation(() => Promise.resolve(engine as unknown as Engine));
});
afterEach(() => vi.restoreAllMocks());

async function load(place: "browser" | "node"): Promise<Draw> {
  vi.mocked(startWorker).mockResolvedValue(worker(place));
  return pipeline("text-to-image", "tiny");
}

/** Resolves once the engine draws. */
function begun(): Promise<void> {
  return vi.waitFor(() => expect(events).toContain("drawing"));
}

const DISPOSED = new DisposedError("tiny: disposed of, its worker has ended");

describe.each(["browser", "node"] as const)("disposing of a model, as in %s", (place) => {
  it("frees it once, however often it is asked", async () => {
    const draw = await load(place);
    await Promise.all([draw.dispose(), draw.dispose()]);
    await draw.dispose();
    expect(events).toEqual(["engine disposed of", "worker ended"]);
  });

  it("refuses later calls", async () => {
    const draw = await load(place);
    const ending = draw.dispose();
    await expect(draw("a fox")).rejects.toThrow(DISPOSED);
    await ending;
    await expect(draw("a fox")).rejects.toThrow(DISPOSED);
    await expect(draw("a fox")).rejects.toBeInstanceOf(DisposedError);
  });

  it("stops what is under way and waits for its end before anything is freed", async () => {
    const draw = await load(place);
    const two = [draw("a fox"), draw("a cat")].map((each) => expect(each).rejects.toThrow(DISPOSED));
    await begun();
    await draw.dispose();
    await Promise.all(two);
    const drawn = ["drawing", "drawing", "drawn no more", "drawn no more"];
    expect(events).toEqual([...drawn, "engine disposed of", "worker ended"]);
  });

  it("ends the worker where freeing fails", async () => {
    const draw = await load(place);
    disposing = () => Promise.reject(new Error("device lost"));
    await expect(draw.dispose()).rejects.toThrow("device lost");
    await expect(draw.dispose()).rejects.toThrow("device lost");
    expect(events).toEqual(["engine disposed of", "worker ended"]);
  });

  it("waits for no callback, not even the one that asked for it", async () => {
    drawing = async ({ onScale }) => {
      events.push("drawing");
      await onScale?.({ scale: 0, scales: 2, images: [] });
    };
    const draw = await load(place);
    const onScale = (): Promise<void> => draw.dispose();
    await expect(draw("a fox", { onScale })).rejects.toThrow(DISPOSED);
    await draw.dispose();
    expect(events).toEqual(["drawing", "engine disposed of", "worker ended"]);
  });
});

describe("the engine's side", () => {
  it("takes no call once it is being disposed of", async () => {
    await load("browser");
    const host = hosts.at(-1)!;
    const ending = host.dispose();
    await expect(host.draw(7, ["a fox"], {}, undefined, undefined)).rejects.toBeInstanceOf(DisposedError);
    expect(() => host.subject({})).toThrow(DisposedError);
    await Promise.all([ending, host.dispose()]);
    expect(events).toEqual(["engine disposed of"]);
  });
});

describe("a worker that dies", () => {
  it("ends the calls under way and all later ones with its error", async () => {
    let die: (error: Error) => void = () => undefined;
    const died = new Promise<never>((_, reject) => {
      die = reject;
    });
    vi.mocked(startWorker).mockResolvedValue({ ...worker("browser"), died });
    const draw = await pipeline("text-to-image", "tiny");
    const waiting = expect(draw("a fox")).rejects.toThrow("out of memory");
    await begun();
    die(new Error("out of memory"));
    await waiting;
    await expect(draw("a fox")).rejects.toThrow("out of memory");
    await expect(draw.dispose()).rejects.toThrow("out of memory");
    expect(events.at(-1)).toBe("worker ended");
  });
});

describe("a signal", () => {
  it("that is aborted while the worker starts stops loading before it begins", async () => {
    const controller = new AbortController();
    vi.mocked(startWorker).mockImplementation(() => {
      controller.abort("gone");
      return Promise.resolve(worker("browser"));
    });
    await expect(pipeline("text-to-image", "tiny", { signal: controller.signal })).rejects.toBe("gone");
    expect(loading).not.toHaveBeenCalled();
    expect(events).toEqual(["worker ended"]);
  });

  it("stops a drawing, and the next one runs", async () => {
    const draw = await load("browser");
    const controller = new AbortController();
    const waiting = expect(draw("a fox", { signal: controller.signal })).rejects.toBe("enough");
    await begun();
    controller.abort("enough");
    await waiting;
    drawing = () => Promise.resolve();
    expect(await draw("a fox")).toEqual({ images: [] });
    await draw.dispose();
  });
});
