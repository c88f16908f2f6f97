/**
 * Where a graph's weights lie. ONNX Runtime maps an initializer from a file if it is one gap-free byte range of a type
 * it knows, in a file at or below one folder (no links, no "..": measured). Everything else is gathered.
 */
import { create } from "@bufbuild/protobuf";
import { readFloat32 } from "../checkpoint/read.js";
import { byteLength, isContiguous, type DType, type StoredTensor } from "../checkpoint/tensor.js";
import { TensorProto_DataLocation as Location, TensorProtoSchema, type TensorProto } from "./gen/onnx_pb.js";
import { ELEMENT_TYPES, GATHERED, type ElementType, type StoredWeight } from "./model.js";

/** Stored types that a graph can hold as they are. */
const IN_PLACE: Partial<Record<DType, ElementType>> = { f32: "float32", f16: "float16", bf16: "bfloat16" };

/** Gathered weights start at multiples of this many bytes. */
const ALIGNMENT = 64;

interface Placed {
  readonly weight: StoredWeight;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Bytes to gather; absent for a weight mapped from its file. */
  readonly bytes?: Uint8Array;
}

/** Initializers for the weights, the folder of the files they point into, and the gathered rest. */
export async function packWeights(
  weights: readonly StoredWeight[],
): Promise<{ initializers: TensorProto[]; folder: string | undefined; data: Uint8Array }> {
  const placed = await Promise.all(weights.map(place));
  const folder = commonFolder(placed.flatMap(({ weight, bytes }) => (bytes ? [] : [weight.tensor.source.path!])));
  const size = placed.reduce((sum, { bytes }) => sum + aligned(bytes?.byteLength ?? 0), 0);
  const data = new Uint8Array(size);
  let end = 0;
  const initializers = placed.map(({ weight, type, shape, bytes }) => {
    if (!bytes) {
      const { source, offset } = weight.tensor;
      return initializer(weight.name, type, shape, source.path!.slice(folder!.length + 1), offset, byteLength(weight.tensor));
    }
    const start = end;
    data.set(bytes, start);
    end += aligned(bytes.byteLength);
    return initializer(weight.name, type, shape, GATHERED, start, bytes.byteLength);
  });
  return { initializers, folder, data };
}

/**
 * The type a weight has in the graph. What cannot stay as it lies is widened; so is bfloat16 that no file can be mapped
 * for, as ONNX Runtime's build for browsers does not know that type.
 */
export function initializerType(tensor: StoredTensor): ElementType {
  const type = isContiguous(tensor) ? IN_PLACE[tensor.dtype] : undefined;
  return type === undefined || (type === "bfloat16" && tensor.source.path === undefined) ? "float32" : type;
}

async function place(weight: StoredWeight): Promise<Placed> {
  const { tensor } = weight;
  const { shape, source } = tensor;
  const type = initializerType(tensor);
  if (type !== IN_PLACE[tensor.dtype] || !isContiguous(tensor)) {
    const values = await readFloat32(tensor);
    return { weight, type, shape, bytes: new Uint8Array(values.buffer) };
  }
  if (source.path !== undefined) return { weight, type, shape };
  return { weight, type, shape, bytes: await source.read(tensor.offset, byteLength(tensor)) };
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** The deepest folder that holds all files; undefined for no files. */
export function commonFolder(paths: readonly string[]): string | undefined {
  const [first, ...rest] = [...new Set(paths)].map((path) => path.split("/").slice(0, -1));
  if (!first) return undefined;
  let depth = first.length;
  for (const parts of rest) {
    let same = 0;
    while (same < depth && parts[same] === first[same]) same++;
    depth = same;
  }
  return first.slice(0, depth).join("/");
}

function initializer(
  name: string,
  type: ElementType,
  shape: readonly number[],
  location: string,
  offset: number,
  length: number,
): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: ELEMENT_TYPES[type],
    dims: shape.map(BigInt),
    dataLocation: Location.EXTERNAL,
    externalData: [
      { key: "location", value: location },
      { key: "offset", value: String(offset) },
      { key: "length", value: String(length) },
    ],
  });
}
