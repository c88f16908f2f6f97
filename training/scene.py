"""Draws planned scenes on the training device: sprites are placed on backgrounds by batched resampling.

B scenes of S x S pixels.
"""

import argparse
import io
import os
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import captions
from words import COLOURS

# Centres as fractions of the canvas, and a sprite's side as a fraction of it, by how many there are.
PLACES = {
    ("one", 1): [(0.5, 0.5)],
    ("left of", 2): [(0.27, 0.5), (0.73, 0.5)],
    ("above", 2): [(0.5, 0.27), (0.5, 0.73)],
    ("some", 2): [(0.28, 0.5), (0.72, 0.5)],
    ("some", 3): [(0.5, 0.28), (0.28, 0.72), (0.72, 0.72)],
    ("some", 4): [(0.28, 0.28), (0.72, 0.28), (0.28, 0.72), (0.72, 0.72)],
}
SIZES = {"one": 0.8, "two": 0.46, "some": 0.42}


def objects(library, scene):
    """What a scene places where: [(sprite, x, y, size), ...]."""
    names = scene["names"] * scene["count"]
    places = PLACES[scene["relation"] or scene["kind"], len(names)]
    index = library.index[scene["style"]]
    return [(index[name], x, y, SIZES[scene["kind"]]) for name, (x, y) in zip(names, places)]


# Of the two sizes that a painter keeps, sprites larger than this part of the canvas are made of the larger one.
LARGE = 0.55


def affine(x, y, size):
    """The map from the canvas to a sprite of that centre and side, as `affine_grid` wants it; all in -1..1."""
    return [[1 / size, 0.0, (1 - 2 * x) / size], [0.0, 1 / size, (1 - 2 * y) / size]]


def pack(library, scenes):
    """All that a painter needs to know of scenes, in tensors.

    -> {"colours": [B, 2, 3] at the top and the bottom, "layers": [(large, rows [n], sprites [n], maps [n, 2, 3]), ...]};
    a layer puts one sprite each into some of the scenes, over what is there, all of them large or all small.
    """
    colours = torch.tensor([[COLOURS[s["background"][end]] for end in (0, -1)] for s in scenes])
    lists, layers = [objects(library, s) for s in scenes], []
    for slot in range(max(map(len, lists), default=0)):
        for large in (True, False):
            here = lambda placed: len(placed) > slot and (placed[slot][3] > LARGE) == large
            rows = [i for i, placed in enumerate(lists) if here(placed)]
            if rows:
                now = [lists[i][slot] for i in rows]
                maps = torch.tensor([affine(*where) for _, *where in now])
                layers.append((large, torch.tensor(rows), torch.tensor([sprite for sprite, *_ in now]), maps))
    return {"colours": colours, "layers": layers}


def read_sprite(path, sprite):
    """[1, 4, S, S] in 0..1, its colours multiplied by alpha, so that resizing keeps edges clean."""
    with open(path, "rb") as file:
        file.seek(sprite["offset"])
        image = Image.open(io.BytesIO(file.read(sprite["length"]))).convert("RGBA")
    pixels = np.asarray(image, dtype=np.float32) / 255
    pixels = np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], -1)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


class Painter:
    """Holds the sprites at the canvas size and at half of it; the small copies avoid aliasing.

    full: uint8 [N, 4, S, S]    half: uint8 [N, 4, S / 2, S / 2]
    """

    def __init__(self, library, size, device):
        self.library, self.size, self.device = library, size, device
        path = os.path.join(library.folder, "sprites.bin")

        def two_sizes(sprite):
            full = read_sprite(path, sprite)
            return [
                (F.interpolate(full, size=(s, s), mode="area") * 255).round().to(torch.uint8)[0]
                for s in (size, size // 2)
            ]

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            pairs = list(pool.map(two_sizes, library.sprites))
        self.full, self.half = (torch.stack(copies).to(device) for copies in zip(*pairs))

    def backgrounds(self, colours):
        """Plain fills, or gradients from top to bottom: [B, 3, S, S] in 0..1."""
        first, last = colours.to(self.device)[..., None, None].unbind(1)
        down = torch.linspace(0, 1, self.size, device=self.device)[:, None]
        return (first * (1 - down) + last * down).expand(-1, -1, -1, self.size).clone()

    def place(self, canvas, large, rows, sprites, maps):
        """Composites a layer onto the canvas, in place."""
        grid = F.affine_grid(maps.to(self.device), [len(rows), 4, self.size, self.size], align_corners=False)
        chosen = (self.full if large else self.half)[sprites.to(self.device)].float() / 255
        drawn = F.grid_sample(chosen, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        rows = rows.to(self.device)
        canvas[rows] = canvas[rows] * (1 - drawn[:, 3:]) + drawn[:, :3]

    @torch.no_grad()
    def paint(self, packed):
        """Images of packed scenes, [B, 3, S, S] in -1..1."""
        canvas = self.backgrounds(packed["colours"])
        for layer in packed["layers"]:
            self.place(canvas, *layer)
        return canvas * 2 - 1

    def draw(self, scenes):
        """Images of the scenes, [B, 3, S, S] in -1..1."""
        return self.paint(pack(self.library, scenes))


def load(folder, size, device, names=None, styles=None):
    """The painter of a sprite folder; `names` is a file of names/, `styles` keeps some of the styles."""
    return Painter(captions.Library(folder, names, styles), size, device)


def save_grid(images, path, columns=8):
    """Writes [B, 3, S, S] images in -1..1 as one PNG with `columns` a row."""
    images = ((images.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    rows = [torch.cat(list(images[i : i + columns]), 2) for i in range(0, len(images), columns)]
    rows[-1] = F.pad(rows[-1], (0, rows[0].shape[2] - rows[-1].shape[2]), value=255)
    Image.fromarray(torch.cat(rows, 1).permute(1, 2, 0).numpy()).save(path)


def main():
    parser = argparse.ArgumentParser(description="Draws 32 scenes to look at and prints their captions.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--names")
    parser.add_argument("--styles", type=lambda s: s.split(","))
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--out", default="scenes.png")
    args = parser.parse_args()
    painter = load(args.data, args.size, "cpu", args.names, args.styles)
    scenes, rng = captions.plans(painter.library, "look", 0, 32), random.Random(0)
    save_grid(painter.draw(scenes), args.out)
    print("\n".join(captions.caption(rng, painter.library, s) for s in scenes))


if __name__ == "__main__":
    main()
