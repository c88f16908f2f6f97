/**
 * Where a graph's weights lie. ONNX Runtime maps an initializer from a file if it is one gap-free byte range of a type
 * it knows, in a file at or below one folder (no links, no "..": measured). It takes the weights of a session all from
 * files or all from memory, so where one of them cannot be mapped, all are gathered.
 */
import { create } from "@bufbuild/protobuf";
import { readFloat32 } from "../checkpoint/read.js";
import type { ByteSource } from "../checkpoint/source.js";
import {
  byteLength,
  elementCount,
  ELEMENT_BYTES,
  isContiguous,
  type DType,
  type StoredTensor,
} from "../checkpoint/tensor.js";
import { TensorProto_DataLocation as Location, TensorProtoSchema, type TensorProto } from "./gen/onnx_pb.js";
import { ELEMENT_TYPES, GATHERED, type ElementType, type StoredWeight } from "./model.js";

/** Stored types that a graph can hold as they are. */
const IN_PLACE: Partial<Record<DType, ElementType>> = { f32: "float32", f16: "float16", bf16: "bfloat16" };

/** What stored types are in a graph that takes them as they are. */
const STORED_TYPES: Readonly<Record<DType, ElementType>> = {
  f64: "float64",
  f32: "float32",
  f16: "float16",
  bf16: "bfloat16",
  i64: "int64",
  i32: "int32",
  i8: "int8",
  u8: "uint8",
  bool: "bool",
};

/**
 * Keeps what was made of weights for the next time. Whoever asks names it by an `identity`: equal ones stand for equal
 * bytes. What is not there, or found damaged, is made by `make`.
 */
export interface WeightsStore {
  /** The file that holds the `size` bytes, from `offset` on; undefined, and nothing made, where the store has no room. */
  keep(identity: string, size: number, make: () => Promise<Uint8Array>): Promise<KeptWeights | undefined>;
}

/** Where kept bytes lie. */
export interface KeptWeights {
  /** A file's real path. */
  readonly path: string;
  readonly offset: number;
}

/** Gathered weights start at multiples of this many bytes. */
const ALIGNMENT = 64;

/** Changes whenever the same weights would be laid out otherwise. */
const LAYOUT_VERSION = 1;

/** The initializers of a graph's weights, and where their bytes are: in files below `folder`, or in `data`. */
export interface PackedWeights {
  readonly initializers: TensorProto[];
  readonly folder: string | undefined;
  /** Empty where the weights are mapped from their files. */
  readonly data: Uint8Array;
}

/**
 * Finds a place for every weight; reads only what cannot be mapped. With a `store` what was read and made of it is kept
 * there, and mapped from there from then on.
 */
export async function packWeights(weights: readonly StoredWeight[], store?: WeightsStore): Promise<PackedWeights> {
  const paths = weights.flatMap((weight) => mappedPath(weight) ?? []);
  const folder = paths.length === weights.length ? commonFolder(paths) : undefined;
  if (folder !== undefined) return pointInto(weights, folder);
  const identity = store && (await identityOf(weights));
  const kept = store && identity !== undefined ? await keepIn(store, identity, weights) : undefined;
  return kept ?? gather(weights);
}

/** What all weights together depend on; undefined where one of their sources does not tell whether it changed. */
async function identityOf(weights: readonly StoredWeight[]): Promise<string | undefined> {
  const sources = new Map<ByteSource, string | undefined>();
  const parts: unknown[] = [];
  for (const { tensor, asStored = false } of weights) {
    const { source, offset, dtype, shape, strides } = tensor;
    if (!sources.has(source)) sources.set(source, await source.fingerprint?.());
    const fingerprint = sources.get(source);
    if (fingerprint === undefined) return undefined;
    parts.push([fingerprint, offset, dtype, shape, strides, asStored ? dtype : initializerType(tensor)]);
  }
  return JSON.stringify([LAYOUT_VERSION, parts]);
}

/** The file a weight can be mapped from, if there is one. */
function mappedPath({ tensor, asStored }: StoredWeight): string | undefined {
  return asStored || (isContiguous(tensor) && IN_PLACE[tensor.dtype] !== undefined) ? tensor.source.path : undefined;
}

/** Initializers that name byte ranges of the weights' own files. */
function pointInto(weights: readonly StoredWeight[], folder: string): PackedWeights {
  const initializers = weights.map((weight) => {
    const { source, offset } = weight.tensor;
    return initializer(weight, source.path!.slice(folder.length + 1), offset, byteLength(weight.tensor));
  });
  return { initializers, folder, data: new Uint8Array(0) };
}

/** Initializers that name byte ranges of one buffer, filled one weight after the other. */
async function gather(weights: readonly StoredWeight[]): Promise<PackedWeights> {
  const data = await gathered(weights);
  return { initializers: oneAfterAnother(weights, GATHERED, 0), folder: undefined, data };
}

/** The same bytes in a file, if the store has room for them. */
async function keepIn(
  store: WeightsStore,
  identity: string,
  weights: readonly StoredWeight[],
): Promise<PackedWeights | undefined> {
  const kept = await store.keep(identity, placesOf(weights).end, () => gathered(weights));
  if (!kept) return undefined;
  const { path, offset } = kept;
  const folder = path.slice(0, path.lastIndexOf("/"));
  const initializers = oneAfterAnother(weights, path.slice(folder.length + 1), offset);
  return { initializers, folder, data: new Uint8Array(0) };
}

/** Where weights begin that lie one after the other, how long they are, and where the last one ends. */
function placesOf(weights: readonly StoredWeight[]): { starts: number[]; lengths: number[]; end: number } {
  const lengths = weights.map((weight) => elementCount(weight.tensor.shape) * graphElementBytes(weight));
  let end = 0;
  const starts = lengths.map((length) => {
    const start = end;
    end += aligned(length);
    return start;
  });
  return { starts, lengths, end };
}

async function gathered(weights: readonly StoredWeight[]): Promise<Uint8Array> {
  const { starts, end } = placesOf(weights);
  const data = new Uint8Array(end);
  for (const [i, weight] of weights.entries()) data.set(await bytesOf(weight), starts[i]);
  return data;
}

function oneAfterAnother(weights: readonly StoredWeight[], location: string, offset: number): TensorProto[] {
  const { starts, lengths } = placesOf(weights);
  return weights.map((weight, i) => initializer(weight, location, offset + starts[i]!, lengths[i]!));
}

/**
 * The type a weight has in the graph. What cannot stay as it lies is widened; so is bfloat16 that no file can be mapped
 * for, as ONNX Runtime's build for browsers does not know that type.
 */
export function initializerType(tensor: StoredTensor): ElementType {
  const type = isContiguous(tensor) ? IN_PLACE[tensor.dtype] : undefined;
  return type === undefined || (type === "bfloat16" && tensor.source.path === undefined) ? "float32" : type;
}

/** Whether a weight's stored bytes are what the graph takes, without conversion. */
function isAsStored({ tensor, asStored = false }: StoredWeight): boolean {
  return asStored || (isContiguous(tensor) && initializerType(tensor) === IN_PLACE[tensor.dtype]);
}

function graphElementBytes(weight: StoredWeight): number {
  return isAsStored(weight) ? ELEMENT_BYTES[weight.tensor.dtype] : Float32Array.BYTES_PER_ELEMENT;
}

/** A weight's values in the type they have in the graph. */
async function bytesOf(weight: StoredWeight): Promise<Uint8Array> {
  const { tensor } = weight;
  if (isAsStored(weight)) return tensor.source.read(tensor.offset, byteLength(tensor));
  return new Uint8Array((await readFloat32(tensor)).buffer);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** The deepest folder that holds all files; undefined for no files and for files with only the root in common. */
export function commonFolder(paths: readonly string[]): string | undefined {
  const [first, ...rest] = [...new Set(paths)].map((path) => path.split("/").slice(0, -1));
  if (!first) return undefined;
  let depth = first.length;
  for (const parts of rest) {
    let same = 0;
    while (same < depth && parts[same] === first[same]) same++;
    depth = same;
  }
  return depth > 1 ? first.slice(0, depth).join("/") : undefined;
}

function initializer(
  { name, tensor, asStored }: StoredWeight,
  location: string,
  offset: number,
  length: number,
): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: ELEMENT_TYPES[asStored ? STORED_TYPES[tensor.dtype] : initializerType(tensor)],
    dims: tensor.shape.map(BigInt),
    dataLocation: Location.EXTERNAL,
    externalData: [
      { key: "location", value: location },
      { key: "offset", value: String(offset) },
      { key: "length", value: String(length) },
    ],
  });
}
