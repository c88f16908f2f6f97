/** Entry of the worker in a browser. */
import * as comlink from "comlink";
import { openModelAt } from "../models/remote.js";
import { EngineHost } from "./worker.js";

comlink.expose(new EngineHost(openModelAt));

// While this module waited for ONNX Runtime's, a message would have found nobody listening and been lost.
postMessage("ready");
