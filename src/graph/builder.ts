/**
 * Builds an ONNX graph in memory. Weights stay where they are: an initializer names a byte range of the checkpoint's
 * own file wherever ONNX Runtime can map it from there; what it cannot (strided views, types it lacks, sources that
 * are not files) is gathered into one buffer that travels beside the graph.
 *
 * The builder knows nothing of any model, and no operator: those are one small function each under `ops/`.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { byteLength, elementCount, type StoredTensor } from "../checkpoint/tensor.js";
import { OptionError } from "../errors.js";
import { attribute, type Attributes } from "./attributes.js";
import { initializerType, packWeights, type WeightsStore } from "./externals.js";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "./gen/onnx_pb.js";
import type { NodeProto, TensorProto, ValueInfoProto } from "./gen/onnx_pb.js";
import {
  CPU_TARGET,
  ELEMENT_TYPES,
  type ConstantData,
  type ElementType,
  type GraphModel,
  type GraphTarget,
  WEIGHT_TYPES,
  type StoredWeight,
  type WeightType,
} from "./model.js";
import { BLOCKS, inBlocks, type BlockMatrix } from "./quantize/blocks.js";
import { inRows, type RowMatrix } from "./quantize/rows.js";

/** A value in a graph under construction. */
export interface Value {
  readonly name: string;
}

/** The matrix of a linear layer in float16. */
export interface HalfWeight {
  readonly half: Value;
}

/** The matrix of a linear layer in blocks; see `quantize/blocks.ts`. */
export interface BlockWeight extends Pick<BlockMatrix, "rows" | "columns" | "bits" | "block"> {
  readonly levels: Value;
  readonly scales: Value;
}

/** The matrix of a linear layer by rows; see `quantize/rows.ts`. */
export interface RowWeight extends Pick<RowMatrix, "rows" | "columns" | "zero"> {
  readonly levels: Value;
  readonly scales: Value;
}

/** The matrix [out, in] of a linear layer: float32, float16, in blocks, or by rows. */
export type Matrix = Value | HalfWeight | BlockWeight | RowWeight;

/** An axis length, or the name of an axis whose length only a run decides. */
export type Axis = number | string;

/**
 * The operator set of ONNX that every graph is written in, and the IR version that goes with it. (Of later sets WebGPU lacks
 * kernels, of 23 `Flatten`'s; ONNX Runtime 1.30.)
 */
const OPSET = 21n;
const IR_VERSION = 10n;
/** ONNX Runtime's own operators (attention, rotary embedding, fast GELU). */
const MICROSOFT_OPSET = 1n;

/** A graph under construction; see the file's head. */
export class GraphBuilder {
  /** Nodes of the graph, and those of the graphs nested in it. */
  private readonly nodes: NodeProto[] = [];
  private readonly nested: NodeProto[] = [];
  /** Where nodes are appended now. */
  private scope = this.nodes;
  private readonly inputs: ValueInfoProto[] = [];
  private readonly outputs: ValueInfoProto[] = [];
  private readonly weights: StoredWeight[] = [];
  /** float16 where linear layers multiply in it and attention takes its inputs in it, else float32. */
  readonly work: "float32" | "float16";
  private readonly constants: TensorProto[] = [];
  private readonly renamed = new Map<string, string>();
  private readonly known = new Map<string, Value>();
  /** Values by name that can be used where nodes are appended now. */
  private sharedHere = new Map<string, Value>();
  private counter = 0;
  /** What names of nodes begin with now. */
  private prefix = "";

  constructor(
    readonly name: string,
    readonly target: GraphTarget = CPU_TARGET,
    /** How {@link matrix} holds what it is given. */
    private readonly matrices: WeightType = "fp32",
  ) {
    const inBlocks = matrices === "q8" || matrices === "q4";
    this.work = matrices === "fp16" || (inBlocks && target.halves) ? "float16" : "float32";
  }

  /** Declares an input. Named axes may differ from run to run. */
  input(name: string, type: ElementType, shape: readonly Axis[]): Value {
    this.inputs.push(valueInfo(name, type, shape));
    return { name };
  }

  /** Makes a value an output under a name of its own. */
  output(name: string, value: Value, type: ElementType, shape: readonly Axis[]): void {
    this.renamed.set(value.name, name);
    this.outputs.push(valueInfo(name, type, shape));
  }

  /** Appends a node and returns its outputs; `undefined` leaves an optional input out. */
  node(
    opType: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes = {},
    { domain = "", outputs = 1 }: { domain?: string; outputs?: number } = {},
  ): [Value, ...Value[]] {
    const name = `${this.prefix}${opType}_${this.counter++}`;
    const values = Array.from({ length: outputs }, (_, i) => ({ name: outputs === 1 ? name : `${name}.${i}` }));
    this.scope.push(
      create(NodeProtoSchema, {
        name,
        opType,
        domain,
        input: inputs.map((input) => input?.name ?? ""),
        output: values.map((value) => value.name),
        attribute: Object.entries(attributes).flatMap(([key, value]) => attribute(key, value)),
      }),
    );
    return values as [Value, ...Value[]];
  }

  /** Puts the nodes that `body` appends under a name, as in `mlp/Gemm_7`, by which a profile knows what they are part of. */
  part<T>(name: string, body: () => T): T {
    const outside = this.prefix;
    this.prefix = `${name}/`;
    try {
      return body();
    } finally {
      this.prefix = outside;
    }
  }

  /**
   * Runs `body` for one entry of the first axes of `over` after another, which are equally long, and joins what it gives,
   * float32 values of `axes` axes, along new first axes. Entries are not copied out, nor are results copied together: they
   * come about where they are to lie. The body may use every value from before it; what else it makes is gone with its step.
   */
  scan(over: readonly Value[], axes: number, body: (entries: readonly Value[]) => readonly Value[]): Value[] {
    const [outside, sharedOutside] = [this.scope, this.sharedHere];
    const name = `scan_${this.counter++}`;
    const entries = over.map((_, i) => ({ name: `${name}.${i}` }));
    this.scope = [];
    this.sharedHere = new Map(sharedOutside);
    const results = body(entries);
    const graph = create(GraphProtoSchema, {
      name,
      node: this.scope,
      // Types of entries are those of `over`.
      input: entries.map((entry) => create(ValueInfoProtoSchema, entry)),
      output: results.map((result) => valueInfo(result.name, "float32", Array<undefined>(axes).fill(undefined))),
    });
    this.nested.push(...this.scope);
    this.scope = outside;
    this.sharedHere = sharedOutside;
    return this.node("Scan", over, { body: { graph }, num_scan_inputs: over.length }, { outputs: results.length });
  }

  /** A tensor of the checkpoint, as float32 whatever its stored type. Asking twice gives the same value. */
  weight(tensor: StoredTensor): Value {
    const found = this.known.get(tensor.name);
    if (found) return found;
    const stored = { name: `weight:${tensor.name}` };
    this.weights.push({ name: stored.name, tensor });
    const value = initializerType(tensor) === "float32" ? stored : this.castAtLoad(stored, "float32");
    this.known.set(tensor.name, value);
    return value;
  }

  /** A matrix as float16. What is larger than 65,504 becomes infinite, what is smaller than 6·10⁻⁸ zero. */
  private half(tensor: StoredTensor): HalfWeight {
    const stored = { name: `weight:${tensor.name}` };
    this.weights.push({ name: stored.name, tensor, halved: true });
    return { half: initializerType(tensor) === "float16" ? stored : this.castAtLoad(stored, "float16") };
  }

  /** The matrix [out, in] of a linear layer, in the form this graph is to hold such. */
  matrix(tensor: StoredTensor): Matrix {
    if (this.matrices === "fp32") return this.weight(tensor);
    if (this.matrices === "fp16") return this.half(tensor);
    const { levels, scales, ...shape } = cut(tensor, this.matrices, {
      block: BLOCKS[this.work],
      unsigned: this.target.unsignedLevels,
    });
    return { levels: this.asStored(levels), scales: this.asStored(scales), ...shape };
  }

  private asStored(tensor: StoredTensor): Value {
    const name = `weight:${tensor.name}`;
    this.weights.push({ name, tensor, asStored: true });
    return { name };
  }

  /** A weight or a constant, nothing that a run makes, in another type: a Cast outside of any loop, folded away at load. */
  castAtLoad(stored: Value, to: ElementType): Value {
    const { scope } = this;
    this.scope = this.nodes;
    const [value] = this.node("Cast", [stored], { to: ELEMENT_TYPES[to] });
    this.scope = scope;
    return value;
  }

  /** A small constant made by the program; it lies in the graph itself, where shape inference can read it. */
  constant(type: ElementType, shape: readonly number[], data: ConstantData): Value {
    const name = `constant_${this.counter++}`;
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const dims = shape.map(BigInt);
    this.constants.push(create(TensorProtoSchema, { name, dims, dataType: ELEMENT_TYPES[type], rawData }));
    return { name };
  }

  /** A value that several places of the graph use, made once under a name of its own; what a loop makes stays inside of it. */
  shared(name: string, make: () => Value): Value {
    const found = this.sharedHere.get(name) ?? make();
    this.sharedHere.set(name, found);
    return found;
  }

  /** A float32 scalar. */
  scalar(value: number): Value {
    return this.constant("float32", [], Float32Array.of(value));
  }

  /** An int64 vector, the form in which ONNX takes shapes and axes. */
  ints(values: readonly number[]): Value {
    return this.constant("int64", [values.length], BigInt64Array.from(values, BigInt));
  }

  /** The finished graph; reads only those weights that cannot be mapped from their file, nor from what a `store` kept. */
  async build(store?: WeightsStore): Promise<GraphModel> {
    const { initializers, folder, data } = await packWeights(this.weights, store);
    const rename = (name: string): string => this.renamed.get(name) ?? name;
    for (const node of [...this.nodes, ...this.nested]) {
      node.input = node.input.map(rename);
      node.output = node.output.map(rename);
    }
    const graph = create(GraphProtoSchema, {
      name: this.name,
      node: this.nodes,
      initializer: [...initializers, ...this.constants],
      input: this.inputs,
      output: this.outputs,
    });
    const model = create(ModelProtoSchema, {
      irVersion: IR_VERSION,
      producerName: "scalekv",
      graph,
      opsetImport: [
        { domain: "", version: OPSET },
        { domain: "com.microsoft", version: MICROSOFT_OPSET },
      ],
    });
    const bytesOf = ({ tensor, asStored, halved }: StoredWeight): number =>
      asStored ? byteLength(tensor) : elementCount(tensor.shape) * (halved ? 2 : Float32Array.BYTES_PER_ELEMENT);
    const weightBytes = this.weights.reduce((sum, weight) => sum + bytesOf(weight), 0);
    return { name: this.name, bytes: toBinary(ModelProtoSchema, model), folder, data, weightBytes };
  }
}

/** Cuts a matrix into levels: in blocks of so many values, or by rows, whose levels may be unsigned. */
function cut(
  tensor: StoredTensor,
  type: Exclude<WeightType, "fp32" | "fp16">,
  { block, unsigned }: { block: number; unsigned: boolean | undefined },
): BlockMatrix | RowMatrix {
  switch (type) {
    case "w8a8":
      return inRows(tensor, unsigned);
    case "q8":
      return inBlocks(tensor, 8, block);
    case "q4":
      return inBlocks(tensor, 4, block);
    default:
      throw new OptionError(`weights ${String(type satisfies never)}: not one of ${WEIGHT_TYPES.join(", ")}`);
  }
}

/** Of an axis that is undefined nothing is said. */
function valueInfo(name: string, type: ElementType, shape: readonly (Axis | undefined)[]): ValueInfoProto {
  const dim = shape.map((axis) => {
    if (axis === undefined) return {};
    if (typeof axis === "string") return { value: { case: "dimParam" as const, value: axis } };
    return { value: { case: "dimValue" as const, value: BigInt(axis) } };
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType: ELEMENT_TYPES[type], shape: { dim } } } },
  });
}
