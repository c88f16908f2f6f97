/** Runs in the page: a block on an adapter that binds no more than every browser gives. */
import { bytesSource } from "../../src/checkpoint/source.js";
import { rowMajorStrides, type StoredTensor } from "../../src/checkpoint/tensor.js";
import { DeviceLayer } from "../../src/models/infinity/device-layer.js";
import { HostLayer, StateMemory } from "../../src/models/infinity/host-layer.js";
import { buildLayer, buildLayerHalves } from "../../src/models/infinity/layer.js";
import { holdsScores } from "../../src/models/infinity/self-attention.js";
import { infinityTensors } from "../../src/models/infinity/tensors.js";
import { lookupIn } from "../../src/models/lookup.js";
import { probeTarget } from "../../src/runtime/probe.js";
import { Session } from "../../src/runtime/session.js";
import { float32, int64, values, type Tensor } from "../../src/runtime/tensor.js";

declare global {
  interface Window {
    /** Makes adapters say that they bind at most 128 MiB and make buffers of at most 256, WebGPU's defaults; what they say then. */
    limitAdapters(): Promise<[binding: number, buffer: number]>;
    /** The state of so many tokens behind a block, every 101st number of it, first on the host and then on the device. */
    runBlock(tokens: number): Promise<[host: number[], device: number[]]>;
  }
}

window.limitAdapters = async () => {
  const { get } = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "limits") as { get: () => GPUSupportedLimits };
  const defaults: Readonly<Record<string, number>> = { maxStorageBufferBindingSize: 2 ** 27, maxBufferSize: 2 ** 28 };
  Object.defineProperty(GPUAdapter.prototype, "limits", {
    get(this: GPUAdapter) {
      const own = get.call(this);
      const limit = (name: string): unknown => defaults[name] ?? Reflect.get(own, name, own);
      return new Proxy(own, { get: (_, name) => limit(String(name)) });
    },
  });
  const { limits } = (await navigator.gpu.requestAdapter())!;
  return [limits.maxStorageBufferBindingSize, limits.maxBufferSize];
};

const CONFIG = {
  ...{ depth: 1, width: 16, heads: 2, hidden: 24, textChannels: 128, textLength: 8 },
  ...{ bits: 4, patchify: false, chunks: 1, levels: 13 },
};
const ROWS = 2;
const TEXT = 5;

window.runBlock = async (tokens) => {
  const shapes = infinityTensors(CONFIG);
  const lookup = lookupIn(new Map([...shapes].map(([name, shape], i) => [name, weight(name, shape, i)])), "memory");
  const { width, heads } = CONFIG;
  const angles = [tokens, width / heads / 2];
  const feeds = {
    modulation: wave([ROWS, 6, width], 1),
    making: {
      ...{ cos: wave(angles, 2), sin: wave(angles, 3), observers: int64([0], [1]) },
      ...{ past_k: wave([0, ROWS, width], 4), past_v: wave([0, ROWS, width], 4) },
    },
    reading: { text_k: wave([ROWS, TEXT, width], 5), text_v: wave([ROWS, TEXT, width], 6) },
  };
  const x = (): Tensor => wave([ROWS, tokens, width], 7);

  const host = { device: "wasm" } as const;
  const options = { storage: "fp32", target: await probeTarget("wasm") } as const;
  const session = await Session.create(await buildLayer(CONFIG, lookup, 0, options), host);
  const onHost = new HostLayer(CONFIG, session, new StateMemory());
  const text = { text_starts: int64([0, 0, 1, 0], [ROWS, 2]), text_ends: int64([1, TEXT, 2, TEXT], [ROWS, 2]) };
  const first = await onHost.run(x(), { ...feeds, reading: { ...feeds.reading, ...text } });
  const expected = some(values(first.y!));
  await onHost.dispose();

  const target = await probeTarget("webgpu");
  const halves = await buildLayerHalves(CONFIG, lookup, 0, { storage: "fp32", target });
  const onDevice = await DeviceLayer.load(CONFIG, halves, holdsScores(CONFIG, { target }), { device: "webgpu" });
  const bias = { text_bias: float32(new Float32Array(ROWS * TEXT), [ROWS, 1, 1, TEXT]) };
  const second = await onDevice.run(x(), { ...feeds, reading: { ...feeds.reading, ...bias } });
  const found = some(values(second.y!));
  await onDevice.dispose();
  return [expected, found];
};

const some = (all: Float32Array): number[] => Array.from(all.filter((_, i) => i % 101 === 0));

function wave(shape: readonly number[], phase: number): Tensor {
  const length = shape.reduce((product, axis) => product * axis, 1);
  return float32(
    Float32Array.from({ length }, (_, i) => Math.sin(12.9898 * i + phase)),
    shape,
  );
}

function weight(name: string, shape: readonly number[], phase: number): StoredTensor {
  const numbers = values(wave(shape, phase)).map((value) => value / 4);
  const source = bytesSource(name, new Uint8Array(numbers.buffer));
  return { name, dtype: "f32", shape, strides: rowMajorStrides(shape), source, offset: 0 };
}
