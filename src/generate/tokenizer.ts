/**
 * Text to token ids, by the `tokenizer.json` that every text encoder is published with.
 *
 * The published code pads to 512 tokens and then drops the padding by its mask; here there is none to begin with.
 */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { ModelError, OptionError } from "../errors.js";
import type { JsonFolder } from "../models/assemble.js";

/** What is used of the library. Its own declarations (0.2.0) are lost on a compiler that follows Node's rules. */
interface Pieces {
  /** Ids of a text, with the end token. */
  encode(text: string): { readonly ids: number[] };
}

const PiecesFrom = HuggingFaceTokenizer as new (definition: unknown, config: unknown) => Pieces;

/** Tokens of the longest text the published models read, the final `</s>` included. */
export const MAX_TEXT_TOKENS = 512;

/** A tokenizer that ends every text with one end token, as T5's does. */
export class Tokenizer {
  private readonly pieces: Pieces;
  /** Id of `</s>`. */
  readonly end: number;

  /**
   * `definition` and `config` are the parsed `tokenizer.json` and `tokenizer_config.json`; `name` is shown in errors.
   *
   * Errors: `ModelError` where they are not a tokenizer, or not one that ends a text with exactly one token.
   */
  constructor(definition: unknown, config: unknown, name: string) {
    let ids: number[];
    try {
      this.pieces = new PiecesFrom(definition, config);
      ids = this.pieces.encode("").ids;
    } catch (error) {
      throw new ModelError(`${name}: not a tokenizer this project reads (${firstLine(error)})`);
    }
    const [end] = ids;
    if (end === undefined || ids.length !== 1) {
      throw new ModelError(`${name}: an empty text gives ${ids.length} tokens, expected the end token alone`);
    }
    this.end = end;
  }

  /**
   * Ids of a text, the end token last. A longer text than `maxLength` tokens loses its tail, not the end token.
   *
   * Errors: `OptionError` for a `maxLength` that is not a whole number of at least 1.
   */
  encode(text: string, maxLength = MAX_TEXT_TOKENS): number[] {
    if (!Number.isInteger(maxLength) || maxLength < 1) {
      throw new OptionError(`text length ${maxLength}: expected a whole number of tokens, at least 1`);
    }
    const { ids } = this.pieces.encode(text);
    return ids.length <= maxLength ? ids : [...ids.slice(0, maxLength - 1), this.end];
  }
}

/** The tokenizer in a text encoder's folder. Errors: those of {@link JsonFolder.readJson} and of {@link Tokenizer}. */
export async function loadTokenizer(place: JsonFolder): Promise<Tokenizer> {
  const definition = await place.readJson("tokenizer.json");
  return new Tokenizer(definition, await place.readJson("tokenizer_config.json"), `${place.folder}/tokenizer.json`);
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
