/**
 * The published models: what they are called, where their files lie on the Hugging Face Hub, and what their authors
 * draw with. Sizes: `tools/run_infinity.py` of github.com/FoundationVision/Infinity; files: its README.
 */
import type { PixelClass } from "./infinity/schedule.js";
import type { InfinitySizes } from "./infinity/tensors.js";

/** What a model draws with unless told otherwise. */
export interface ModelDefaults {
  readonly pixels: PixelClass;
  readonly guidance: number;
  readonly temperature: number;
}

/** Files of one repository on the Hub. */
export interface HubFiles {
  /** `owner/name`. */
  readonly repo: string;
  /** Paths in the repository; one that ends in `/` is a folder with all its files. `*` stands for any part of a name. */
  readonly files: readonly string[];
}

/** A published model. */
export interface PublishedModel {
  /** What `--model` and `scalekv download` call it. */
  readonly name: string;
  /** What people call it. */
  readonly title: string;
  /** Repository of the transformer and its VAE. */
  readonly repo: string;
  /** A file, or a folder of shards that ends in `/`. */
  readonly transformer: string;
  /** The only VAE file that fits. */
  readonly vae: string;
  readonly textEncoder: HubFiles;
  readonly defaults: ModelDefaults;
  /** Name of its sizes in {@link TRANSFORMER_SIZES}. */
  readonly sizes: keyof typeof TRANSFORMER_SIZES;
  /** Bits of a token, which tell models of the same size apart. */
  readonly bits: number;
}

/** What a model that is none of the published ones draws with: the smallest size class, as no file tells its own. */
export const UNPUBLISHED_DEFAULTS: ModelDefaults = { pixels: "0.06M", guidance: 4, temperature: 1 };

/** The models that ship with the package, and what they draw with: a small trained one, and one of random weights. */
export const EMBEDDED_MODELS: ReadonlyMap<string, ModelDefaults> = new Map([
  ["stickers", { pixels: "0.25M", guidance: 2, temperature: 0.5 }],
  ["tiny", UNPUBLISHED_DEFAULTS],
]);

/** The model where none is named. */
export const DEFAULT_MODEL = "stickers";

/** Transformers the published code names, by depth, width and heads. */
export const TRANSFORMER_SIZES = {
  "2B": { depth: 32, width: 2048, heads: 16 },
  "8B": { depth: 40, width: 3584, heads: 28 },
  layer12: { depth: 12, width: 768, heads: 8 },
  layer16: { depth: 16, width: 1152, heads: 12 },
  layer24: { depth: 24, width: 1536, heads: 16 },
  layer32: { depth: 32, width: 2080, heads: 20 },
  layer40: { depth: 40, width: 2688, heads: 24 },
  layer48: { depth: 48, width: 3360, heads: 28 },
} as const satisfies Readonly<Record<string, Pick<InfinitySizes, "depth" | "width" | "heads">>>;

/** The text encoder all published models were trained with. Its repository holds the same weights in other formats, too. */
export const FLAN_T5_XL: HubFiles = {
  repo: "google/flan-t5-xl",
  files: [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "model.safetensors.index.json",
    "model-*.safetensors",
  ],
};

/** What `scalekv download` calls {@link FLAN_T5_XL} by itself, for those who have the other files. */
export const FLAN_T5_XL_NAME = "flan-t5-xl";

/** Width of {@link FLAN_T5_XL}'s features. */
export const FLAN_T5_XL_CHANNELS = 2048;

const INFINITY_REPO = "FoundationVision/Infinity";
const PATCHIFY_VAE = "infinity_vae_d56_f8_14_patchify.pth";

/** A published autoencoder. */
export interface PublishedVae {
  readonly file: string;
  readonly bits: number;
  /** Pixels of the image to one position of the map, along one side. */
  readonly stride: number;
}

/** Channels of the first level in every published autoencoder. */
export const PUBLISHED_VAE_BASE = 128;

/** The published autoencoders. `d32` and `d32reg` have the same shapes: only their names tell them apart. */
export const PUBLISHED_VAES: readonly PublishedVae[] = [
  { file: "infinity_vae_d16.pth", bits: 16, stride: 16 },
  { file: "infinity_vae_d24.pth", bits: 24, stride: 16 },
  { file: "infinity_vae_d32.pth", bits: 32, stride: 16 },
  { file: "infinity_vae_d32reg.pth", bits: 32, stride: 16 },
  { file: "infinity_vae_d64.pth", bits: 64, stride: 16 },
  { file: PATCHIFY_VAE, bits: 14, stride: 8 },
];

/** Every model that has a name. */
export const PUBLISHED_MODELS: readonly PublishedModel[] = [
  {
    name: "infinity-2b",
    title: "Infinity 2B",
    repo: INFINITY_REPO,
    transformer: "infinity_2b_reg.pth",
    vae: "infinity_vae_d32reg.pth",
    textEncoder: FLAN_T5_XL,
    defaults: { pixels: "1M", guidance: 4, temperature: 0.5 },
    sizes: "2B",
    bits: 32,
  },
  {
    name: "infinity-8b",
    title: "Infinity 8B",
    repo: INFINITY_REPO,
    transformer: "infinity_8b_weights/",
    vae: PATCHIFY_VAE,
    textEncoder: FLAN_T5_XL,
    defaults: { pixels: "1M", guidance: 3, temperature: 1 },
    sizes: "8B",
    bits: 56,
  },
  {
    name: "infinity-8b-512",
    title: "Infinity 8B, 512 × 512",
    repo: INFINITY_REPO,
    transformer: "infinity_8b_512x512_weights/",
    vae: PATCHIFY_VAE,
    textEncoder: FLAN_T5_XL,
    defaults: { pixels: "0.25M", guidance: 3, temperature: 1 },
    sizes: "8B",
    bits: 56,
  },
  {
    name: "infinity-125m",
    title: "Infinity 125M, 256 × 256",
    repo: INFINITY_REPO,
    transformer: "infinity_125M_256x256.pth",
    vae: "infinity_vae_d16.pth",
    textEncoder: FLAN_T5_XL,
    defaults: { pixels: "0.06M", guidance: 4, temperature: 0.5 },
    sizes: "layer12",
    bits: 16,
  },
];

/** A published model by name. */
export function publishedModel(name: string): PublishedModel | undefined {
  return PUBLISHED_MODELS.find((model) => model.name === name);
}

/** `infinity-2b, infinity-8b, …`, for messages. */
export function publishedNames(): string {
  return PUBLISHED_MODELS.map(({ name }) => name).join(", ");
}

/**
 * The published models a transformer can be by its sizes. The two 8B models have the same; their files' names tell
 * them apart, and `path` (where the transformer lies) puts the likelier one first.
 */
export function publishedBySize(sizes: InfinitySizes, path = ""): readonly PublishedModel[] {
  const fits = PUBLISHED_MODELS.filter(({ sizes: name, bits }) => {
    const { depth, width, heads } = TRANSFORMER_SIZES[name];
    return sizes.depth === depth && sizes.width === width && sizes.heads === heads && sizes.bits === bits;
  });
  const named = (model: PublishedModel) => path.includes(model.transformer.replace("/", ""));
  return [...fits.filter(named), ...fits.filter((model) => !named(model))];
}
