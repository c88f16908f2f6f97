/** Text cases: token ids through the text encoder. */
import type { Checkpoint } from "../../checkpoint/checkpoint.js";
import { readNumbers } from "../../checkpoint/read.js";
import { T5Encoder } from "../../models/t5/encoder.js";
import { openTextEncoder } from "../../models/text-encoder.js";
import { chooseDevice } from "../../runtime/device.js";
import type { PipelineOptions } from "../types.js";
import { tensorOf, type Results } from "./case-file.js";

/** `ids.I` in, `hidden.I` out. */
export async function traceTexts(
  model: string,
  inputs: Checkpoint,
  options: PipelineOptions,
  results: Results,
): Promise<void> {
  const files = await openTextEncoder(model);
  try {
    const device = chooseDevice(options.device ?? "auto");
    const encoder = await T5Encoder.create(files.config, files, { device, threads: options.threads, stream: true });
    for (let i = 0; i === 0 || inputs.tensors.has(`ids.${i}`); i++) {
      const ids = [...(await readNumbers(tensorOf(inputs, `ids.${i}`)))];
      const data = await encoder.encode(ids, { signal: options.signal });
      results.set(`hidden.${i}`, { shape: [ids.length, files.config.width], data });
    }
  } finally {
    await files.close();
  }
}
