import fc from "fast-check";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { ModelError, OptionError } from "../errors.js";
import { jsonFolder } from "../models/text-encoder.js";
import { loadTokenizer, MAX_TEXT_TOKENS, Tokenizer } from "./tokenizer.js";

const FOLDER = fileURLToPath(new URL("../../models/tiny/t5", import.meta.url));
const END = 1;
const UNKNOWN = 2;

interface Definition {
  readonly model: { readonly vocab: readonly [piece: string, score: number][] };
}

const definition = JSON.parse(readFileSync(`${FOLDER}/tokenizer.json`, "utf8")) as Definition;
const vocabulary = definition.model.vocab.map(([piece]) => piece);
const ids = (...pieces: string[]): number[] => pieces.map((piece) => vocabulary.indexOf(piece));

let tokenizer: Tokenizer;

beforeAll(async () => {
  tokenizer = await loadTokenizer(jsonFolder(FOLDER));
});

describe("Tokenizer", () => {
  // These ids and those of the unicode cases agree with Hugging Face's Rust tokenizers 0.23.
  it("gives known words one piece, spells others, and ends the text", () => {
    expect(tokenizer.encode("a red fox, running")).toEqual([...ids("▁a", "▁red", "▁fox", ",", "▁running"), END]);
    expect(tokenizer.encode("Fox zxy")).toEqual([...ids("▁", "F", "o", "x", "▁", "z", "x", "y"), END]);
  });

  it.each(["", " ", "\n\t "])("makes %j the end token alone", (text) => {
    expect(tokenizer.encode(text)).toEqual([END]);
  });

  it("brings compatible characters to one form and takes the rest for unknown, neighbours as one", () => {
    expect(tokenizer.encode("Ａ\u00a0ﬁsh①")).toEqual([...ids("▁", "A", "▁fish", "1"), END]);
    expect(tokenizer.encode("日本 語")).toEqual([...ids("▁"), UNKNOWN, ...ids("▁"), UNKNOWN, END]);
    expect(tokenizer.encode("🦊🦊 fox")).toEqual([...ids("▁"), UNKNOWN, ...ids("▁fox"), END]);
  });

  it("knows the special tokens by their spelling, as the published tokenizer does", () => {
    expect(tokenizer.encode("cat</s>")).toEqual([...ids("▁cat"), END, END]);
  });

  it("cuts a long text to 512 tokens, the end token kept", () => {
    expect(tokenizer.encode("cat ".repeat(511))).toEqual([...Array<number>(511).fill(ids("▁cat")[0] ?? NaN), END]);
    expect(tokenizer.encode("cat ".repeat(512))).toEqual(tokenizer.encode("cat ".repeat(511)));
    expect(tokenizer.encode("cat ".repeat(700))).toHaveLength(MAX_TEXT_TOKENS);
    expect(tokenizer.encode("a red fox", 2)).toEqual([...ids("▁a"), END]);
    expect(tokenizer.encode("a red fox", 1)).toEqual([END]);
  });

  it("gives any text whole ids of the vocabulary and one end token at the end", () => {
    // Any code point, lone surrogates included, and enough of the keyboard to make words.
    const unit = fc
      .oneof(fc.nat(0x10ffff), fc.integer({ min: 32, max: 126 }))
      .map((code) => String.fromCodePoint(code));
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (text, maxLength) => {
        const whole = tokenizer.encode(text);
        const cut = tokenizer.encode(text, maxLength);
        expect(whole.at(-1)).toBe(END);
        expect(whole.every((id) => Number.isInteger(id) && id >= 0 && id < vocabulary.length)).toBe(true);
        expect(cut).toEqual(whole.length <= maxLength ? whole : [...whole.slice(0, maxLength - 1), END]);
      }),
      { numRuns: 100 },
    );
  });

  it.each([0, -1, 1.5, NaN])("refuses a length of %d tokens", (maxLength) => {
    expect(() => tokenizer.encode("cat", maxLength)).toThrow(OptionError);
  });

  it("refuses what is no tokenizer, or one that does not end its texts", () => {
    expect(() => new Tokenizer({}, {}, "x.json")).toThrow(ModelError);
    expect(() => new Tokenizer({ ...definition, post_processor: null }, {}, "x.json")).toThrow(
      "x.json: an empty text gives 0 tokens, expected the end token alone",
    );
  });

  it("names the file that is missing", async () => {
    await expect(loadTokenizer(jsonFolder("/nowhere"))).rejects.toThrow(
      /^\/nowhere\/tokenizer\.json: cannot be read \(ENOENT/,
    );
  });
});
