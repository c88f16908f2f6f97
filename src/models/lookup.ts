/** Finding a model's tensors by name. */
import type { StoredTensor } from "../checkpoint/tensor.js";
import { ModelError } from "../errors.js";

/** Finds a tensor by its published name; an absent one is a {@link ModelError}. */
export type Lookup = (name: string) => StoredTensor;

/** A lookup in a checkpoint's tensors. */
export function lookupIn(tensors: ReadonlyMap<string, StoredTensor>, file: string): Lookup {
  return (name) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new ModelError(`${file}: tensor ${name} is missing`);
    return tensor;
  };
}
