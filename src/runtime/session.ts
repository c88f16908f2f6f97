/** A graph made ready to run on a device. */
import type { InferenceSession, Tensor } from "onnxruntime-common";
import { DeviceError } from "../errors.js";
import { GATHERED, type GraphModel } from "../graph/model.js";
import type { Device } from "./device.js";
import { isNode, ort } from "./ort.js";
import { bytesOf, discard } from "./tensor.js";

/** How a session is made. */
export interface SessionOptions {
  readonly device: Device;
  /** Threads inside one operator on the CPU; default: ONNX Runtime's own (one per core). */
  readonly threads?: number | undefined;
  /**
   * On the CPU float32 matrices are laid out anew when they are loaded, for products of many rows. False leaves them as they
   * are mapped: for graphs that run once or twice, on few rows. Default true.
   */
  readonly packs?: boolean | undefined;
  /** Where outputs stay, all of them or by name: `gpu-buffer` keeps them on the device. Default `cpu`. */
  readonly outputs?: OutputPlace | Readonly<Record<string, OutputPlace>> | undefined;
  /** ONNX Runtime's own profile of the session is written to a file whose path begins with this; see {@link profiledGraph}. */
  readonly profile?: string | undefined;
}

/** Where an output stays. */
export type OutputPlace = "cpu" | "gpu-buffer";

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** One loaded graph. `dispose` gives its memory back. */
export class Session {
  private constructor(
    readonly name: string,
    /** Bytes the graph's weights take in memory. */
    readonly weightBytes: number,
    private readonly session: InferenceSession,
  ) {}

  /** Loads a graph; weights are mapped from their files and packed for the device. */
  static async create(model: GraphModel, options: SessionOptions): Promise<Session> {
    try {
      const session = await ort.InferenceSession.create(model.bytes, sessionOptions(model, options));
      return new Session(model.name, model.weightBytes, session);
    } catch (error) {
      throw new DeviceError(`${model.name}: ${options.device} cannot load this graph: ${firstLine(error)}`);
    }
  }

  /**
   * Runs the graph. `into` names the wanted outputs: a tensor receives the values in place (its shape must match) and is
   * what is returned, `null` lets the runtime allocate. Without `into` all outputs are returned.
   */
  async run(feeds: Tensors, into?: Readonly<Record<string, Tensor | null>>): Promise<Tensors> {
    try {
      return await (isNode ? runInNode : runInBrowser)(this.session, feeds, into);
    } catch (error) {
      throw new Error(`${this.name}: ${firstLine(error)}; inputs ${describe(feeds)}`, { cause: error });
    }
  }

  /** Ends ONNX Runtime's profile and frees the graph and its weights. */
  async dispose(): Promise<void> {
    this.session.endProfiling();
    await this.session.release();
  }
}

type Wanted = Readonly<Record<string, Tensor | null>> | undefined;

/** The build for Node writes into tensors it was given for outputs, and still returns a copy of each, which goes at once. */
async function runInNode(session: InferenceSession, feeds: Tensors, into: Wanted): Promise<Tensors> {
  if (!into) return session.run(feeds);
  const outputs: Record<string, Tensor> = await session.run(feeds, into);
  for (const [name, target] of Object.entries(into)) {
    if (!target) continue;
    discard(outputs[name]!);
    outputs[name] = target;
  }
  return outputs;
}

/**
 * The build for browsers leaves tensors it was given for outputs as they were, so values are copied there. And its
 * promises resolve without letting the thread see to its messages, one of which may be an abort.
 */
async function runInBrowser(session: InferenceSession, feeds: Tensors, into: Wanted = {}): Promise<Tensors> {
  const names = Object.keys(into);
  const outputs: Record<string, Tensor> = await session.run(feeds, names.length > 0 ? names : session.outputNames);
  for (const [name, target] of Object.entries(into)) {
    if (!target) continue;
    copyValues(name, outputs[name]!, target);
    outputs[name] = target;
  }
  await messagesSeenTo();
  return outputs;
}

/** Copies what an output of any type holds; a place of another size is an error, as it is under Node. */
function copyValues(name: string, output: Tensor, target: Tensor): void {
  if (output.dims.join() !== target.dims.join()) {
    throw new Error(`output ${name} is [${output.dims.join(", ")}], its place is [${target.dims.join(", ")}]`);
  }
  bytesOf(target).set(bytesOf(output));
}

/** Resolves in a task of its own, after those that wait already; a timer would take 4 ms. */
function messagesSeenTo(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

function sessionOptions(model: GraphModel, options: SessionOptions): InferenceSession.SessionOptions {
  const external = model.data.byteLength > 0 ? { externalData: [{ path: GATHERED, data: model.data }] } : {};
  return {
    ...external,
    executionProviders: [options.device],
    graphOptimizationLevel: "all",
    // The arena keeps the largest working set of any scale for good; without it memory follows the work.
    enableCpuMemArena: false,
    // A pattern reserves one block for all of a run's intermediate values: 10 % more at the peak of a large scale.
    enableMemPattern: false,
    ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
    ...(options.outputs === undefined || options.outputs === "cpu" ? {} : { preferredOutputLocation: options.outputs }),
    ...(options.profile === undefined
      ? {}
      : { enableProfiling: true, profileFilePrefix: profilePrefix(options.profile, model) }),
    // What fails comes as an error, once; ONNX Runtime would print it, too, even where a probe expects it.
    logSeverityLevel: 4,
    ...(isNode ? { extra: nodeExtras(model, options) } : {}),
  };
}

/** ONNX Runtime appends the date to the second, which does not tell the graphs of one model apart. */
function profilePrefix(prefix: string, { name }: GraphModel): string {
  return `${prefix}${name.replaceAll(/[^\w.]+/g, "-")}@${(1000 * performance.now()).toFixed(0)}`;
}

/** The graph that a file of a profile is about, as its path says: each run of characters but letters, digits and dots is a dash. */
export function profiledGraph(path: string, prefix: string): string {
  return path.slice(prefix.length, path.lastIndexOf("@"));
}

/**
 * Microseconds for which a thread that has done its part of an operator waits awake for the next one's. Waking it takes as
 * long as many an operator: layers run in 0.9 to 0.95 of the time on a machine that does nothing else, in 1.1 where others want
 * the cores as well (docs/LOG.md, 2026-11-27).
 */
const SPIN_MICROSECONDS = 50;

function nodeExtras(model: GraphModel, { packs = true }: SessionOptions): Record<string, unknown> {
  return {
    session: {
      intra_op: { allow_spinning: "1", spin_duration_us: String(SPIN_MICROSECONDS) },
      // Threads of one layer's session must not spin while the next layer's works: 9 instead of 30 ms for four layers.
      force_spinning_stop: "1",
      ...(packs ? {} : { disable_prepacking: "1" }),
      ...(model.folder === undefined ? {} : { model_external_initializers_file_folder_path: model.folder }),
    },
  };
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}

function describe(feeds: Tensors): string {
  return Object.entries(feeds)
    .map(([name, tensor]) => `${name} [${tensor.dims.join(", ")}]`)
    .join(", ");
}
