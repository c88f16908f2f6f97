"""Plans scenes and words them; the same seed and step give the same scenes.

A scene is one object, two objects side by side or one above the other, or two to four of the same, on a plain or a
gradient background. Places and sizes are fixed, so that the same words always ask for the same picture:
    {"kind": "one" | "two" | "some", "names": [...], "count": n, "relation": "left of" | "above" | None,
     "style": "flat", "background": ["blue"] | ["blue", "white"]}
A gradient runs from top to bottom. With two names, the first is the left or upper one.
"""

import hashlib
import json
import os
import random

from words import COLOURS, NUMBERS, plural, with_article

KINDS, SHARES = ["one", "two", "some"], [0.58, 0.22, 0.20]
HELD_OUT = {"one": 4, "two": 7, "some": 3}  # one combination in so many is kept for the evaluation


def held_out(scene):
    """Whether a combination is kept for the evaluation: an object on a colour, a pair, or an object and a number.

    It depends on the words alone, not on style or order. White, which may go unsaid, and gradients are never held out.
    """
    kind, extra = scene["kind"], []
    if kind == "one":
        if len(scene["background"]) > 1 or scene["background"] == ["white"]:
            return False
        extra = scene["background"]
    if kind == "some":
        extra = [str(scene["count"])]
    words = "/".join(sorted([*scene["names"], *extra]))
    return hashlib.sha256(words.encode()).digest()[0] % HELD_OUT[kind] == 0


class Library:
    """The sprite list: `sprites[i]` is a line of sprites.jsonl, `index[style][name]` is i.

    `names` is a file of names/, which maps a drawing's name to the words people say for it; without it every
    drawing is used, under its own name.
    """

    def __init__(self, folder, names=None, styles=None):
        with open(os.path.join(folder, "sprites.jsonl"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        self.folder, self.styles = folder, styles or sorted({s["style"] for s in lines})
        spoken = {s["name"]: [s["name"]] for s in lines}
        if names:
            with open(names, encoding="utf-8") as file:
                spoken = json.load(file)
        self.sprites = [s for s in lines if s["name"] in spoken and s["style"] in self.styles]
        found = {s["name"] for s in self.sprites}
        self.spoken = {name: words for name, words in spoken.items() if name in found}
        self.names = list(self.spoken)
        self.index = {
            style: {s["name"]: i for i, s in enumerate(self.sprites) if s["style"] == style} for style in self.styles
        }


def backdrop(rng):
    """A background's colours: one, or two in one case of seven; white more often than others, as it may go unsaid."""
    if rng.random() < 0.14:
        return rng.sample(list(COLOURS), 2)
    return ["white"] if rng.random() < 0.15 else [rng.choice(list(COLOURS))]


def any_scene(rng, library, shares=SHARES):
    """A scene, held out or not. `shares` says how often each of KINDS comes."""
    kind = rng.choices(KINDS, shares)[0]
    scene = {
        "kind": kind,
        "names": rng.sample(library.names, 2 if kind == "two" else 1),
        "count": 1,
        "relation": None,
        "style": rng.choice(library.styles),
        "background": backdrop(rng),
    }
    if kind == "two":
        scene["relation"] = rng.choice(["left of", "above"])
    if kind == "some":
        scene["count"] = rng.choice(list(NUMBERS))
    return scene


def plan(rng, library, shares=SHARES):
    """A scene that may be trained on. `rng` is a random.Random."""
    while True:
        scene = any_scene(rng, library, shares)
        if not held_out(scene):
            return scene


def plans(library, seed, step, count):
    """`count` scenes that depend on nothing but the seed and the step."""
    rng = random.Random(f"{seed}/{step}")
    return [plan(rng, library) for _ in range(count)]


def caption(rng, library, scene):
    """Words for a scene, in one of several phrasings; the style goes unsaid in one case of eight."""
    text = subject(rng, library, scene)
    if rng.random() < 0.875:
        style = scene["style"]
        text = rng.choice([f"{text}, {style} style", f"{text} in {style} style", f"{style} drawing of {text}"])
    return text + backdrop_words(rng, scene["background"])


def subject(rng, library, scene):
    """The objects, their number and their places."""
    called = [rng.choice(library.spoken[n]) if rng.random() < 0.4 else library.spoken[n][0] for n in scene["names"]]
    if scene["kind"] == "some":
        return f"{NUMBERS[scene['count']]} {plural(called[0])}"
    first, *rest = [with_article(name) for name in called]
    if not rest:
        return first
    second = rest[0]
    if scene["relation"] == "left of":
        return rng.choice(
            [
                f"{first} on the left and {second} on the right",
                f"{first} to the left of {second}",
                f"{second} to the right of {first}",
                f"{first} next to {second}",
                f"{first} and {second}",
            ]
        )
    return rng.choice(
        [f"{first} above {second}", f"{second} below {first}", f"{first} at the top and {second} at the bottom"]
    )


def backdrop_words(rng, colours):
    """Words for a background, with what joins them to the rest; a white one goes unsaid in six cases of ten."""
    first, last = with_article(colours[0]), colours[-1]
    if len(colours) == 2:
        return rng.choice([f" on a gradient from {colours[0]} to {last}", f" on {first} to {last} gradient background"])
    if last == "white" and rng.random() < 0.6:
        return ""
    return rng.choice([f" on {first} background", f", {last} background"])
