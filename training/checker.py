"""Writes what pictures are checked against beside a model: the drawings, and where scenes put them.

python checker.py --data build/sprites --names names/forty.json --styles flat,cartoon --out ../models/NAME/checker

OUT/STYLE/NAME.webp are the drawings as the training read them, byte for byte; OUT/checker.json lists them and has the
rules of scene.py and words.py. `scalekv eval prompts` reads the folder. With --examples, some scenes are drawn, too:
DIR/scenes.json says which and DIR/00.png shows the first; the engine's own rendering is compared with them.
"""

import argparse
import os
import random

import captions
import common
import folder
import scene
from words import COLOURS

EXAMPLES = 6


def slug(name):
    """'red apple' -> 'red-apple', for file names."""
    return name.replace(" ", "-")


def write_drawings(library, out):
    """Copies the library's sprites to files of their own and returns the list of them."""
    listed = []
    with open(os.path.join(library.folder, "sprites.bin"), "rb") as packed:
        for sprite in library.sprites:
            file = f"{sprite['style']}/{slug(sprite['name'])}.webp"
            os.makedirs(os.path.join(out, sprite["style"]), exist_ok=True)
            packed.seek(sprite["offset"])
            with open(os.path.join(out, file), "wb") as single:
                single.write(packed.read(sprite["length"]))
            listed.append({"name": sprite["name"], "style": sprite["style"], "file": file, "source": sprite["source"]})
    return listed


def layouts():
    """scene.PLACES as a list: a key there is a kind or, of two objects, how they lie."""
    kinds = lambda key: (key, None) if key in scene.SIZES else ("two", key)
    return [
        {"kind": kind, "relation": relation, "size": scene.SIZES[kind], "places": places}
        for (key, _), places in scene.PLACES.items()
        for kind, relation in [kinds(key)]
    ]


def write_examples(library, out, size=128):
    """Some scenes with every kind, gradients included, and what they show."""
    rng, wanted = random.Random("examples"), []
    for i in range(EXAMPLES):
        kind = captions.KINDS[i % len(captions.KINDS)]
        while True:
            planned = captions.any_scene(rng, library)
            if planned["kind"] == kind and len(planned["background"]) == 1 + i % 2:
                break
        wanted.append(planned)
    painter = scene.Painter(library, size, "cpu")
    os.makedirs(out, exist_ok=True)
    for i, image in enumerate(painter.draw(wanted)):
        scene.save_grid(image[None], os.path.join(out, f"{i:02}.png"))
    folder.write_json(os.path.join(out, "scenes.json"), wanted)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    common.add_data_arguments(parser.add_argument)
    parser.add_argument("--out", required=True)
    parser.add_argument("--examples", metavar="DIR")
    args = parser.parse_args()
    library = captions.Library(args.data, args.names, args.styles)
    os.makedirs(args.out, exist_ok=True)
    rules = {"drawings": write_drawings(library, args.out), "layouts": layouts(), "colours": COLOURS}
    folder.write_json(os.path.join(args.out, "checker.json"), rules)
    if args.examples:
        write_examples(library, args.examples)


if __name__ == "__main__":
    main()
