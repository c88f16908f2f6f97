/** What a run's parent process and its children say to each other. */
import type { ArtistOptions } from "./artist.js";
import type { PictureRecord } from "./records.js";

/** To a child. */
export type ToChild =
  /** The first message: which run, and how. */
  | { readonly kind: "open"; readonly place: string; readonly options: ChildOptions }
  | { readonly kind: "draw"; readonly indices: readonly number[] }
  /** Give up what is being drawn. */
  | { readonly kind: "stop" };

/** From a child; every `open` and every `draw` is answered by `ready` or by `failed`. */
export type FromChild =
  | { readonly kind: "ready"; readonly batch: number }
  | { readonly kind: "record"; readonly record: PictureRecord }
  | { readonly kind: "failed"; readonly name: string; readonly message: string };

/** What can be sent. */
export type ChildOptions = Omit<ArtistOptions, "signal" | "onProgress">;
