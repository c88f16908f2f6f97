/** A Redis of a test's own: Debian's `redis-server` on a free port, in a folder of its own, which dies with the test. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, connect, type AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { inTemporaryFolder } from "./temporary.js";

/** Why tests that need a Redis cannot run here; undefined where they can. On CI they must. */
export function redisMissing(): string | undefined {
  if (spawnSync("redis-server", ["--version"]).status === 0) return undefined;
  if (process.env.CI) throw new Error("redis-server is not installed, and CI needs it");
  return "redis-server is not installed";
}

/** A server that can be killed and come back. */
export interface RedisServer {
  /** For `--queue`. */
  readonly address: string;
  /** SIGKILL, as when its machine dies. */
  kill(): Promise<void>;
  /** Starts it again at the same address: with everything it was told, if it is durable, or with nothing. */
  restart(): Promise<void>;
}

/** Lends a server to `work`. A durable one writes every command to its disk before it answers. */
export async function withRedis<T>(durable: boolean, work: (server: RedisServer) => Promise<T>): Promise<T> {
  return inTemporaryFolder(async (folder) => {
    const port = await freePort();
    const keep = durable ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"];
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", ...keep];
    let child: ChildProcess;
    const restart = async (): Promise<void> => {
      child = spawn("redis-server", args, { stdio: "ignore" });
      await untilItAnswers(port);
    };
    const kill = async (): Promise<void> => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    };
    await restart();
    try {
      return await work({ address: `redis://127.0.0.1:${port}`, kill, restart });
    } finally {
      await kill();
    }
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** While it reads its files it says so instead of PONG. */
async function untilItAnswers(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if ((await ping(port)).startsWith("+PONG")) return;
    await delay(50);
  }
  throw new Error(`redis-server does not answer at port ${port}`);
}

function ping(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.once("data", (answer) => {
      resolve(answer.toString());
      socket.destroy();
    });
    socket.once("error", () => resolve(""));
    socket.once("close", () => resolve(""));
  });
}
