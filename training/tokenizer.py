"""A small T5-like tokenizer of the captions' words, and its reader.

python tokenizer.py --data build/sprites --names names/forty.json --out build/tokenizer
writes tokenizer.json and tokenizer_config.json: unigram pieces, every word of the captions as one piece, and single
characters so that any other word can be spelled. `Tokenizer` gives the ids of the Hugging Face libraries without them.
"""

import argparse
import json
import math
import os
import random
from collections import Counter

import captions
import common
import words

SPACE = "\u2581"  # stands for the space before a word
SPECIALS = ["<pad>", "</s>", "<unk>"]
PAD, END, UNKNOWN = range(3)
CHARACTERS, MARKS = "abcdefghijklmnopqrstuvwxyz0123456789", ",.!?'\"-:;()&/"
RARE = -20.0  # log probability: a spelled-out word never beats a known one


def count_words(library):
    """How often each word occurs in many captions; every word of a name or a number at least once."""
    counts = Counter()
    for names in library.spoken.values():
        for name in names:
            counts.update(f"{name} {words.plural(name)}".split())
    counts.update(" ".join([*words.COLOURS, *words.NUMBERS.values(), "one a an the in of and picture"]).split())
    rng = random.Random("vocabulary")
    for scene in captions.plans(library, "vocabulary", 0, 20000):
        counts.update(captions.caption(rng, library, scene).replace(",", " ").split())
    return counts


def build(library):
    """The vocabulary as a list of [piece, log probability]."""
    counts = count_words(library)
    total = sum(counts.values())
    known = [(SPACE + w, math.log(n / total)) for w, n in counts.most_common() if len(w) > 1]
    single = [(SPACE, RARE)] + [(SPACE + c, math.log(counts[c] / total) if counts[c] else RARE) for c in CHARACTERS]
    single += [(c, RARE) for c in CHARACTERS] + [(c, -3.0) for c in MARKS]
    return [[piece, round(score, 4)] for piece, score in [(s, 0.0) for s in SPECIALS] + single + known]


def describe(vocab):
    """tokenizer.json of the Hugging Face libraries."""
    special = [
        {
            "id": i,
            "content": s,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for i, s in enumerate(SPECIALS)
    ]
    space = {"type": "Metaspace", "replacement": SPACE, "add_prefix_space": True, "prepend_scheme": "always"}
    end = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    one, two = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, space]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [one, end],
            "pair": [one, end, two, end],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [END], "tokens": ["</s>"]}},
        },
        "decoder": space,
        "model": {"type": "Unigram", "unk_id": UNKNOWN, "vocab": vocab, "byte_fallback": False},
    }


def write(library, out):
    """Writes both files; returns the number of pieces."""
    vocab = build(library)
    config = {
        "tokenizer_class": "T5Tokenizer",
        "model_max_length": 512,
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "extra_ids": 0,
        "legacy": False,
    }
    os.makedirs(out, exist_ok=True)
    for name, value in (("tokenizer.json", describe(vocab)), ("tokenizer_config.json", config)):
        with open(os.path.join(out, name), "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False, separators=(",", ":"))
    return len(vocab)


class Tokenizer:
    """text -> ids, with </s> at the end."""

    def __init__(self, folder):
        with open(os.path.join(folder, "tokenizer.json"), encoding="utf-8") as file:
            vocab = json.load(file)["model"]["vocab"]
        self.size = len(vocab)
        self.piece = {p: (i, s) for i, (p, s) in enumerate(vocab)}
        self.longest = max(len(p) for p, _ in vocab)
        self.unknown = min(s for _, s in vocab) - 10
        self.cache = {}

    def best_pieces(self, word):
        """Viterbi over summed scores: for every end in the word, (score, start, id) of the best last piece."""
        best = [(0.0, 0, -1)] + [(-math.inf, 0, -1)] * len(word)
        for end in range(1, len(word) + 1):
            for start in range(max(0, end - self.longest), end):
                i, score = self.piece.get(word[start:end], (UNKNOWN, self.unknown) if end - start == 1 else (None, 0))
                if i is not None and best[start][0] + score > best[end][0]:
                    best[end] = (best[start][0] + score, start, i)
        return best

    def word(self, word):
        """Ids of one word; neighbouring unknown characters make one <unk>."""
        if word not in self.cache:
            best, ids, end = self.best_pieces(word), [], len(word)
            while end > 0:
                _, start, i = best[end]
                if not (i == UNKNOWN and ids and ids[-1] == UNKNOWN):
                    ids.append(i)
                end = start
            self.cache[word] = ids[::-1]
        return self.cache[word]

    def __call__(self, text):
        return [i for w in text.lower().split() for i in self.word(SPACE + w)] + [END]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_data_arguments(parser.add_argument)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    library = captions.Library(args.data, args.names, args.styles)
    pieces, tokenizer, rng = write(library, args.out), Tokenizer(args.out), random.Random(0)
    lengths = [len(tokenizer(captions.caption(rng, library, s))) for s in captions.plans(library, "lengths", 0, 2000)]
    print(pieces, "pieces; captions have", max(lengths), "tokens at most,", sum(lengths) / len(lengths), "on average")


if __name__ == "__main__":
    main()
