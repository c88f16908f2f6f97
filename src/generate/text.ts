/**
 * From a prompt to what the transformer reads. The published code cleans nothing: spaces, case and punctuation reach
 * the tokenizer as they were typed, and an empty prompt is a text of one token, the end.
 */
import type { EncodeOptions, T5Encoder } from "../models/t5/encoder.js";
import { MAX_TEXT_TOKENS, type Tokenizer } from "./tokenizer.js";

/** One text as the transformer reads it. */
export interface TextFeatures {
  /** Token ids, the end token last. */
  readonly ids: readonly number[];
  /** [ids.length, textChannels], the encoder's last hidden state. */
  readonly features: Float32Array;
}

/** How prompts become features. */
export interface PromptOptions extends EncodeOptions {
  /** Appends words about faces to prompts that name a person, see {@link withPositivePrompt}. Default false. */
  readonly positivePrompt?: boolean | undefined;
  /** Tokens a text may have, its end included; the rest is cut off. Default {@link MAX_TEXT_TOKENS}. */
  readonly maxLength?: number | undefined;
}

/**
 * Letters that make the published code see a person in a prompt. It looks for them anywhere, within words as well, so
 * "man" stands for woman and human, "men" for women, "son" for person, and "mother" for grandmother; and "mansion"
 * counts too.
 */
const PERSON = [
  ...["man", "men", "boy", "girl", "child", "son", "adult", "teenager"],
  ...["mother", "father", "sister", "brother", "daughter", "worker", "employer", "employee"],
];

/** What the published code appends then. */
const FACES = ". very smooth faces, good looking faces, face to the camera, perfect facial features";

/** The published `enable_positive_prompt`: a prompt that names a person (in lower case) asks for good faces as well. */
export function withPositivePrompt(prompt: string): string {
  return PERSON.some((letters) => prompt.includes(letters)) ? prompt + FACES : prompt;
}

/**
 * Features of several prompts; each is encoded by itself, so they never depend on one another.
 *
 * Errors: those of {@link Tokenizer.encode} and {@link T5Encoder.encodeAll}.
 */
export async function encodePrompts(
  prompts: readonly string[],
  { tokenizer, encoder }: { tokenizer: Tokenizer; encoder: T5Encoder },
  { positivePrompt = false, maxLength = MAX_TEXT_TOKENS, ...options }: PromptOptions = {},
): Promise<TextFeatures[]> {
  const texts = prompts.map((prompt) =>
    tokenizer.encode(positivePrompt ? withPositivePrompt(prompt) : prompt, maxLength),
  );
  const features = await encoder.encodeAll(texts, options);
  return texts.map((ids, i) => ({ ids, features: features[i]! }));
}
