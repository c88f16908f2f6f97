/** Devices a graph can run on. */
import { DeviceError } from "../errors.js";
import { isNode, loadOrt } from "./ort.js";

/** `cpu` and `cuda` exist under Node, `wasm` in browsers, `webgpu` in both. */
export const DEVICES = ["cpu", "webgpu", "cuda", "wasm"] as const;

/** One of {@link DEVICES}. */
export type Device = (typeof DEVICES)[number];

/** Devices whose outputs can stay in device memory between runs. */
export function keepsOutputs(device: Device): boolean {
  return device === "webgpu";
}

/** The device an option asks for, checked against what this runtime has; `auto` is the CPU (WASM in a browser). */
export async function chooseDevice(wanted: string): Promise<Device> {
  const device = wanted === "auto" ? (isNode ? "cpu" : "wasm") : DEVICES.find((name) => name === wanted);
  if (!device) throw new DeviceError(`device ${wanted}: not one of ${DEVICES.join(", ")}, auto`);
  const here = isNode ? await nodeDevices() : ["wasm", "webgpu"];
  if (!here.includes(device)) throw new DeviceError(`device ${device}: not available here (${here.join(", ")} are)`);
  return device;
}

/** Providers bundled with or installed beside `onnxruntime-node`. */
async function nodeDevices(): Promise<string[]> {
  await loadOrt();
  const { listSupportedBackends } = await import("onnxruntime-node");
  return listSupportedBackends().map(({ name }) => name);
}
