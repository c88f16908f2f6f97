/** Devices a graph can run on. */
import { DeviceError } from "../errors.js";
import { isNode, ort } from "./ort.js";

/** `cpu` and `cuda` exist under Node, `wasm` in browsers, `webgpu` in both. */
export const DEVICES = ["cpu", "webgpu", "cuda", "wasm"] as const;

/** One of {@link DEVICES}. */
export type Device = (typeof DEVICES)[number];

/** Devices whose outputs can stay in device memory between runs. */
export function keepsOutputs(device: Device): boolean {
  return device === "webgpu";
}

/** Devices that multiply matrices of 8-bit numbers. */
export function hasIntegerProducts(device: Device): boolean {
  return device === "cpu" || device === "wasm";
}

/** Devices that multiply numbers of 16 bits as such; others would widen them first. WebGPU adapters may lack it. */
export function hasHalfProducts(device: Device): boolean {
  return device === "webgpu" || device === "cuda";
}

/** The device an option asks for, checked against what this runtime has; `auto` is the CPU (WASM in a browser). */
export function chooseDevice(wanted: string): Device {
  const device = wanted === "auto" ? (isNode ? "cpu" : "wasm") : DEVICES.find((name) => name === wanted);
  if (!device) throw new DeviceError(`device ${wanted}: not one of ${DEVICES.join(", ")}, auto`);
  const here = availableDevices();
  if (!here.includes(device)) throw new DeviceError(`device ${device}: not available here (${here.join(", ")} are)`);
  return device;
}

/** Devices this runtime knows; whether a GPU or its libraries are there only loading a graph can tell. */
export function availableDevices(): Device[] {
  if (!("listSupportedBackends" in ort)) return ["wasm", "webgpu"];
  const backends = ort.listSupportedBackends().map(({ name }) => name);
  return DEVICES.filter((device) => backends.includes(device));
}
