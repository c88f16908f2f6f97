/** Runs in the page: the autoencoder on one of the browser's devices, in strips of a given size. */
import { subtree } from "../../src/checkpoint/checkpoint.js";
import { openCheckpointAt } from "../../src/checkpoint/open-http.js";
import type { FeatureMap } from "../../src/models/bsq-vae/feature-map.js";
import { inferVaeConfig, publishedVae } from "../../src/models/bsq-vae/tensors.js";
import { Vae } from "../../src/models/bsq-vae/vae.js";
import { lookupIn } from "../../src/models/lookup.js";
import type { Device } from "../../src/runtime/device.js";

/** A map that can be sent to the page: codes [1, channels, height, width], or an image's levels [1, height, width, 3]. */
export type Sent = Omit<FeatureMap, "data"> & { readonly data: readonly number[] };

declare global {
  interface Window {
    /** The levels of the image that a VAE of test/golden/models makes of codes. */
    decode(model: string, device: Device, stripBytes: number, codes: Sent): Promise<number[]>;
    /** What its encoder makes of an image's levels. */
    features(model: string, device: Device, stripBytes: number, image: Sent): Promise<number[]>;
  }
}

async function open(model: string, device: Device, stripBytes: number): Promise<Vae> {
  const file = new URL(`/test/golden/models/${model}/vae.pth`, document.baseURI).href;
  const tensors = publishedVae(subtree((await openCheckpointAt(file)).tensors, ["vae"]), file);
  return new Vae(inferVaeConfig(tensors, file), lookupIn(tensors, file), { device, stripBytes });
}

window.decode = async (model, device, stripBytes, codes) => {
  const vae = await open(model, device, stripBytes);
  const { data } = await vae.decode({ ...codes, data: Float32Array.from(codes.data) });
  await vae.dispose();
  return [...data];
};

window.features = async (model, device, stripBytes, image) => {
  const vae = await open(model, device, stripBytes);
  const { data } = await vae.features({ ...image, data: Uint8Array.from(image.data) });
  await vae.dispose();
  return [...data];
};
