/**
 * The published networks behind metrics, single files on the web. They are kept where PyTorch's own hub keeps them and
 * under its names, so that what torchvision or pytorch-fid downloaded need not be downloaded again.
 */
import { join } from "node:path";
import { ModelError } from "../errors.js";
import { userCache, variable } from "./environment.js";
import { lookAt } from "./paths.js";

/** A file at an address of its own. */
export interface PublishedFile {
  /** Its name in the folder. */
  readonly name: string;
  readonly address: string;
  /** What the SHA-256 of its content begins with; publishers put eight digits of it into the name. */
  readonly sha256: string;
}

/** torchvision's AlexNet, trained on ImageNet: the features that LPIPS compares. */
export const ALEXNET_FILE: PublishedFile = {
  name: "alexnet-owt-7be5be79.pth",
  address: "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
  sha256: "7be5be79",
};

/** How much each feature counts: version 0.1 of the LPIPS authors' weights. */
export const LPIPS_FILE: PublishedFile = {
  name: "lpips-v0.1-alex.pth",
  address:
    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/082bb24f84c091ea94de2867d34c4544f68e0963/lpips/weights/v0.1/alex.pth",
  sha256: "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
};

/** The Inception network that FID and KID are defined by, as a plain dictionary of tensors. */
export const INCEPTION_FILE: PublishedFile = {
  name: "pt_inception-2015-12-05-6726825d.pth",
  address: "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
  sha256: "6726825d",
};

/** What `scalekv download` calls the networks, and the files of each. */
export const NETWORKS = {
  lpips: [ALEXNET_FILE, LPIPS_FILE],
  inception: [INCEPTION_FILE],
} as const satisfies Readonly<Record<string, readonly PublishedFile[]>>;

/** A network that has a name. */
export type NetworkName = keyof typeof NETWORKS;

/** The network of this name, if it is one. */
export function networkNamed(name: string): NetworkName | undefined {
  return Object.hasOwn(NETWORKS, name) ? (name as NetworkName) : undefined;
}

/** The folder of PyTorch's hub: `TORCH_HOME`, or `torch` in the user's cache. */
export function torchHubFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const torch = variable("TORCH_HOME", environment) ?? join(userCache("TORCH_HOME", environment), "torch");
  return join(torch, "hub", "checkpoints");
}

/** The path of a network's file; one that is not there is a {@link ModelError} that says how to get it. */
export async function findPublishedFile({ name }: PublishedFile, network: NetworkName): Promise<string> {
  const path = join(torchHubFolder(), name);
  if (await lookAt(path)) return path;
  throw new ModelError(`${path}: not downloaded yet; run: scalekv download ${network}`);
}
