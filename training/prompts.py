r"""Writes the held-out prompts of the evaluation, one JSON line each, the same every time.

python prompts.py --data build/sprites --names names/forty.json --styles flat,cartoon \
    --out ../models/NAME/checker/held-out.jsonl

Every line has an "id", its "category" and "prompt", and in "check" what the category asks for. "kind", "names", "count",
"relation", "style" and "background" say what the picture shows if everything is followed, null where the prompt leaves
it open. "names" are those of sprites.jsonl; the first one is left of or above the second. No combination occurs in
training: see `captions.held_out`.
"""

import argparse
import json
import os
import random

import captions
import common
from words import COLOURS, NUMBERS, plural, with_article

# What is asked of a category's pictures.
CHECKS = {
    "single": ["names"],
    "colour": ["names", "background"],
    "style": ["names", "style"],
    "two": ["names"],
    "position": ["names", "relation"],
    "count": ["names", "count"],
}
RELATIONS = ["left of", "above"]


def scene(kind, names, **more):
    """A scene with nothing said about what `more` leaves out."""
    return {"kind": kind, "names": names, "count": 1, "relation": None, "style": None, "background": None, **more}


def held_out(scenes):
    """The held-out ones among the scenes, in a fixed random order."""
    kept = [s for s in scenes if captions.held_out(s)]
    random.Random("held out").shuffle(kept)
    return kept


def by_category(library):
    """All scenes of every category. An object on a colour serves one category only."""
    names = library.names
    ones = held_out(scene("one", [n], background=[c]) for n in names for c in COLOURS)
    pairs = held_out(scene("two", [a, b]) for i, a in enumerate(names) for b in names[i + 1 :])
    counted = held_out(scene("some", [n], count=c) for n in names for c in NUMBERS)
    turned = [{**s, "names": s["names"][::-1]} for s in pairs]
    rng, third = random.Random("choices"), len(ones) // 3
    return {
        "single": ones[:third],
        "colour": ones[third : 2 * third],
        "style": [{**s, "style": style} for s in ones[2 * third :] for style in library.styles],
        "two": pairs,
        "position": [
            {**s, "relation": relation}
            for both in zip(turned, pairs)
            for s, relation in zip(both, rng.sample(RELATIONS, 2))
        ],
        "count": counted + [{**s, "background": [rng.choice(list(COLOURS))]} for s in counted],
    }


def words_of(library, s):
    """The prompt: what the scene says, and nothing else."""
    called = [library.spoken[n][0] for n in s["names"]]
    if s["kind"] == "some":
        text = f"{NUMBERS[s['count']]} {plural(called[0])}"
    else:
        joined = {"left of": " to the left of ", "above": " above ", None: " and "}[s["relation"]]
        text = joined.join(with_article(name) for name in called)
    style = f", {s['style']} style" if s["style"] else ""
    return text + style + (f" on {with_article(s['background'][0])} background" if s["background"] else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_data_arguments(parser.add_argument)
    parser.add_argument("--out", required=True)
    parser.add_argument("--each", type=int, default=48, help="at most so many of a category")
    parser.add_argument("--captions", type=int, help="so many captions as in training instead, for a calibration")
    args = parser.parse_args()
    library = captions.Library(args.data, args.names, args.styles)
    os.makedirs(os.path.dirname(args.out) or ".", exist_ok=True)
    with open(args.out, "w", encoding="utf-8") as file:
        if args.captions is not None:
            rng, scenes = random.Random("calibration"), captions.plans(library, "calibration", 0, args.captions)
            file.writelines(f"{captions.caption(rng, library, s)}\n" for s in scenes)
            return
        for category, scenes in by_category(library).items():
            for i, s in enumerate(scenes[: args.each]):
                line = {
                    "id": f"{category}-{i:02}",
                    "category": category,
                    "prompt": words_of(library, s),
                    "check": CHECKS[category],
                    **s,
                }
                file.write(json.dumps(line) + "\n")
            print(f"{category}: {len(scenes[:args.each])} prompts, such as {words_of(library, scenes[0])!r}")


if __name__ == "__main__":
    main()
