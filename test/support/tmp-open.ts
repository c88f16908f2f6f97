import { openFile } from "../../src/checkpoint/file-source.js";
import { rowMajorStrides, type DType, type StoredTensor } from "../../src/checkpoint/tensor.js";
export async function openCheckpoint(path: string): Promise<{ tensors: Map<string, StoredTensor> }> {
  const m = /models\/(\w+)\/vae.pth/.exec(path);
  const pre = m ? "vae." : "";
  const source = await openFile(m ? `/tmp/vae-${m[1]}.safetensors` : path);
  const n = Number(new DataView((await source.read(0, 8)).buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(await source.read(8, n))) as Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, t] of Object.entries(header)) if (name !== "__metadata__")
    tensors.set(pre + name, { name: pre + name, dtype: t.dtype.toLowerCase() as DType, shape: t.shape, strides: rowMajorStrides(t.shape), source, offset: 8 + n + t.data_offsets[0]! });
  return { tensors };
}
