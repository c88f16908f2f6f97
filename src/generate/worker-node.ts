/** Entry of the worker under Node. */
import { parentPort } from "node:worker_threads";
import * as comlink from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { resolveModel } from "../models/folder.js";
import { EngineHost } from "./worker.js";

if (!parentPort) throw new Error("this module runs in a worker only");
comlink.expose(new EngineHost(resolveModel), nodeEndpoint(parentPort));
