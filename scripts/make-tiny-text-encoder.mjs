/**
 * Writes models/tiny/t5: a T5 encoder with random weights and a small tokenizer, in the files and by the names of a
 * published one. Run `node scripts/make-tiny-text-encoder.mjs [FOLDER]`; the same bytes come out every time.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { WORDS } from "./tiny-words.mjs";

const SPACE = "\u2581"; // stands for the space before a word
const SPECIALS = ["<pad>", "</s>", "<unk>"];
const SEED = 20250526;

/** Pieces with their scores (log-likelihoods): specials, single characters, then one piece a word. */
function vocabulary() {
  const printable = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
  const rare = -20; // a word that is spelled out never beats one that has a piece
  return [
    ...SPECIALS.map((piece) => [piece, 0]),
    ...[SPACE, ...printable].map((piece) => [piece, rare]),
    ...WORDS.map((word) => [SPACE + word, -8]),
  ];
}

/** The structure of T5's `tokenizer.json`; in place of its table of character rewrites, the NFKC form they encode. */
function tokenizer(vocab) {
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const metaspace = { type: "Metaspace", replacement: SPACE, add_prefix_space: true, prepend_scheme: "always" };
  const end = { SpecialToken: { id: "</s>", type_id: 0 } };
  const text = (id) => ({ Sequence: { id, type_id: 0 } });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIALS.map((content, id) => ({ id, content, ...plain, special: true })),
    normalizer: { type: "NFKC" },
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, metaspace] },
    post_processor: {
      type: "TemplateProcessing",
      single: [text("A"), end],
      pair: [text("A"), end, text("B"), end],
      special_tokens: { "</s>": { id: "</s>", ids: [1], tokens: ["</s>"] } },
    },
    decoder: metaspace,
    model: { type: "Unigram", unk_id: 2, vocab, byte_fallback: false },
  };
}

const TOKENIZER_CONFIG = {
  tokenizer_class: "T5Tokenizer",
  model_max_length: 512,
  eos_token: "</s>",
  pad_token: "<pad>",
  unk_token: "<unk>",
  extra_ids: 0,
};

function encoderConfig(vocabSize) {
  return {
    model_type: "t5",
    architectures: ["T5EncoderModel"],
    torch_dtype: "float16",
    d_model: 256,
    d_kv: 64,
    num_heads: 4,
    d_ff: 512,
    num_layers: 2,
    vocab_size: vocabSize,
    relative_attention_num_buckets: 32,
    relative_attention_max_distance: 128,
    layer_norm_epsilon: 1e-6,
    feed_forward_proj: "gated-gelu",
  };
}

/** Names and shapes with the standard deviation that T5 initialises each with; 0 stands for a norm's ones. */
function tensors({ d_model: C, d_kv, num_heads, d_ff: F, num_layers, vocab_size, relative_attention_num_buckets }) {
  const inner = d_kv * num_heads;
  const layers = Array.from({ length: num_layers }, (_, layer) => {
    const attention = `encoder.block.${layer}.layer.0`;
    const feedForward = `encoder.block.${layer}.layer.1`;
    return [
      [`${attention}.SelfAttention.q.weight`, [inner, C], (C * d_kv) ** -0.5],
      [`${attention}.SelfAttention.k.weight`, [inner, C], C ** -0.5],
      [`${attention}.SelfAttention.v.weight`, [inner, C], C ** -0.5],
      [`${attention}.SelfAttention.o.weight`, [C, inner], inner ** -0.5],
      [`${attention}.layer_norm.weight`, [C], 0],
      [`${feedForward}.DenseReluDense.wi_0.weight`, [F, C], C ** -0.5],
      [`${feedForward}.DenseReluDense.wi_1.weight`, [F, C], C ** -0.5],
      [`${feedForward}.DenseReluDense.wo.weight`, [C, F], F ** -0.5],
      [`${feedForward}.layer_norm.weight`, [C], 0],
    ];
  });
  const relative = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
  return [
    ["shared.weight", [vocab_size, C], 1],
    [relative, [relative_attention_num_buckets, num_heads], C ** -0.5],
    ...layers.flat(),
    ["encoder.final_layer_norm.weight", [C], 0],
  ];
}

/** Uniform numbers in [0, 1): the mulberry32 generator. */
function uniforms(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const word = new DataView(new ArrayBuffer(4));

/** Half-precision bits, rounded; what is too small for a normal half (6e-5) becomes 0. Only for |value| < 65504. */
function toHalf(value) {
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  const magnitude = (bits & 0x7fffffff) - (112 << 23); // the exponent's bias goes from 127 to 15
  if (magnitude < 1 << 23) return 0;
  return ((bits >>> 16) & 0x8000) | ((magnitude + 0x1000) >> 13);
}

/** A safetensors file: the header's length (8 bytes), the header, the tensors. */
function safetensors(entries) {
  const random = uniforms(SEED);
  const header = { __metadata__: { format: "pt" } };
  let end = 0;
  const parts = entries.map(([name, shape, deviation]) => {
    const values = new Uint16Array(shape.reduce((product, size) => product * size));
    // A uniform number in [-1, 1) has the standard deviation 1/√3.
    const draw = () => (deviation === 0 ? 1 : (2 * random() - 1) * Math.sqrt(3) * deviation);
    for (let i = 0; i < values.length; i++) values[i] = toHalf(draw());
    header[name] = { dtype: "F16", shape, data_offsets: [end, (end += values.byteLength)] };
    return new Uint8Array(values.buffer);
  });
  const json = JSON.stringify(header);
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}

const folder = process.argv[2] ?? fileURLToPath(new URL("../models/tiny/t5", import.meta.url));
const vocab = vocabulary();
const config = encoderConfig(vocab.length);
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/config.json`, `${JSON.stringify(config, null, 2)}\n`);
writeFileSync(`${folder}/tokenizer.json`, `${JSON.stringify(tokenizer(vocab))}\n`);
writeFileSync(`${folder}/tokenizer_config.json`, `${JSON.stringify(TOKENIZER_CONFIG, null, 2)}\n`);
writeFileSync(`${folder}/model.safetensors`, safetensors(tensors(config)));
console.log(`${folder}: ${vocab.length} pieces, ${config.num_layers} layers of width ${config.d_model}`);
