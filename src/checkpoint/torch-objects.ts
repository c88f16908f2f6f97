/**
 * The globals a torch checkpoint may name, and what they stand for here: storages and tensors become descriptions,
 * containers become plain data, and settings that people save beside their weights become opaque.
 */
import { PickleCallable, PickleObject, type PickleValue, type PickleWorld } from "./pickle-machine.js";
import { isSize, MAX_RANK } from "./validate.js";
import type { DType } from "./tensor.js";

/** A run of elements that tensors share; where it lies in the file is known only after the pickle was read. */
export class TorchStorage extends PickleObject {
  /**
   * @param key names the storage in the file
   * @param dtype undefined for bytes whose type each tensor states itself
   * @param count elements; bytes where there is no dtype
   */
  constructor(
    readonly key: string,
    readonly dtype: DType | undefined,
    readonly count: number,
  ) {
    super();
  }

  get description(): string {
    return `storage ${this.key}`;
  }
}

/** A tensor as the pickle describes it, nothing of it checked yet but the types of its numbers. */
export class TorchTensor extends PickleObject {
  readonly description = "a tensor";

  constructor(
    readonly storage: TorchStorage,
    readonly dtype: DType,
    /** Element of the storage that is [0, 0, …] of the tensor. */
    readonly first: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    super();
  }
}

/** The element type of a storage class or of a dtype object; undefined is untyped bytes. */
class ElementKind extends PickleObject {
  constructor(
    readonly description: string,
    readonly dtype: DType | undefined,
  ) {
    super();
  }
}

/** Data beside the weights that no weight depends on: settings, random states, NumPy scalars. */
class Opaque extends PickleObject {
  readonly description = "opaque data";
}

const STORAGES: Readonly<Record<string, DType>> = {
  DoubleStorage: "f64",
  FloatStorage: "f32",
  HalfStorage: "f16",
  BFloat16Storage: "bf16",
  LongStorage: "i64",
  IntStorage: "i32",
  CharStorage: "i8",
  ByteStorage: "u8",
  BoolStorage: "bool",
};

const DTYPES: Readonly<Record<string, DType>> = {
  float64: "f64",
  float32: "f32",
  float16: "f16",
  bfloat16: "bf16",
  int64: "i64",
  int32: "i32",
  int8: "i8",
  uint8: "u8",
  bool: "bool",
};

/** Calls that make a tensor or a container; the signatures are those of torch/_utils.py. */
const BUILDERS: Readonly<Record<string, PickleCallable["call"]>> = {
  "torch._utils._rebuild_tensor": ([storage, first, shape, strides]) => tensor(storage, first, shape, strides),
  "torch._utils._rebuild_tensor_v2": ([storage, first, shape, strides]) => tensor(storage, first, shape, strides),
  "torch._utils._rebuild_tensor_v3": ([storage, first, shape, strides, , , dtype]) =>
    tensor(storage, first, shape, strides, dtype),
  "torch._utils._rebuild_parameter": ([data]) => data,
  "torch._utils._rebuild_parameter_with_state": ([data]) => data,
  "torch.Size": ([sizes]) => sizes,
  "collections.OrderedDict": orderedDictionary,
  "collections.defaultdict": () => new Map(),
  "collections.Counter": ([counts]) => (counts instanceof Map ? counts : undefined),
};

/** What fine-tuning scripts save beside the weights: arguments, NumPy scalars and arrays, types as values. */
const OPAQUE: readonly string[] = [
  "argparse.Namespace",
  "types.SimpleNamespace",
  "pathlib.PosixPath",
  "pathlib.WindowsPath",
  "torch.device",
  "numpy.dtype",
  "numpy.ndarray",
  "_codecs.encode",
  ...["numpy.core", "numpy._core"].flatMap((core) =>
    ["multiarray.scalar", "multiarray._reconstruct", "numeric._frombuffer"].map((name) => `${core}.${name}`),
  ),
  ...["builtins", "__builtin__"].flatMap((module) =>
    ["set", "frozenset", "list", "dict", "int", "float", "bool", "str", "bytearray", "complex", "slice"].map(
      (type) => `${module}.${type}`,
    ),
  ),
];

/** Everything a pickle may name, and nothing more. */
const GLOBALS: ReadonlyMap<string, PickleObject> = new Map<string, PickleObject>([
  ...Object.entries(BUILDERS).map(([name, call]) => [name, new PickleCallable(name, call)] as const),
  ...OPAQUE.map((name) => [name, new PickleCallable(name, () => new Opaque())] as const),
  ...Object.entries(STORAGES).flatMap(([name, dtype]) =>
    ["torch", "torch.cuda"].map((module) => [`${module}.${name}`, new ElementKind(name, dtype)] as const),
  ),
  ...Object.entries(DTYPES).map(([name, dtype]) => [`torch.${name}`, new ElementKind(name, dtype)] as const),
  ...["torch", "torch.storage"].map(
    (module) => [`${module}.UntypedStorage`, new ElementKind("UntypedStorage", undefined)] as const,
  ),
]);

/** The allow-list of torch checkpoints; it keeps nothing between them. */
export const TORCH_WORLD: PickleWorld = {
  global: (module, name) => GLOBALS.get(`${module}.${name}`),
  persistent: storage,
};

/** torch's persistent identifier: ("storage", class, key, device, elements), in old files followed by None. */
function storage(id: PickleValue): TorchStorage | undefined {
  if (!Array.isArray(id) || id[0] !== "storage") return undefined;
  const [, kind, key, , count, view = null] = id;
  if (!(kind instanceof ElementKind) || typeof key !== "string" || !isSize(count) || view !== null) return undefined;
  return new TorchStorage(key, kind.dtype, count);
}

/** Python 3 lets the items follow one by one; Python 2 gives them at once, as a list of [key, value]. */
function orderedDictionary([pairs = [], ...more]: readonly PickleValue[]): PickleValue | undefined {
  if (!Array.isArray(pairs) || more.length > 0) return undefined;
  const dictionary = new Map<PickleValue, PickleValue>();
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) return undefined;
    dictionary.set(pair[0]!, pair[1]!);
  }
  return dictionary;
}

function tensor(
  source: PickleValue | undefined,
  first: PickleValue | undefined,
  shape: PickleValue | undefined,
  strides: PickleValue | undefined,
  stated?: PickleValue,
): TorchTensor | undefined {
  if (!(source instanceof TorchStorage) || typeof first !== "number") return undefined;
  const dtype = stated instanceof ElementKind ? stated.dtype : source.dtype;
  if (!dtype || !isAxes(shape) || !isAxes(strides)) return undefined;
  return new TorchTensor(source, dtype, first, [...shape], [...strides]);
}

/** Sizes or strides. The rank is checked here, before the numbers are copied: a pickle can name one list many times. */
function isAxes(value: PickleValue | undefined): value is number[] {
  return Array.isArray(value) && value.length <= MAX_RANK && value.every((item) => typeof item === "number");
}
