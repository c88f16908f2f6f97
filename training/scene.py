"""Draws planned scenes on the training device: sprites are placed on backgrounds by batched resampling."""

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

    def backgrounds(self, scenes):
        """Plain fills, or gradients from top to bottom: [B, 3, S, S] in 0..1."""
        colour = lambda end: torch.tensor([COLOURS[s["background"][end]] for s in scenes], device=self.device)[
            :, :, None, None
        ]
        down = torch.linspace(0, 1, self.size, device=self.device)[:, None]
        return (colour(0) * (1 - down) + colour(-1) * down).expand(-1, -1, -1, self.size).clone()

    def place(self, canvas, rows, placed):
        """Composites placed[i] onto canvas[rows[i]], in place; all of them large or all small."""
        index = torch.tensor([p[0] for p in placed], device=self.device)
        x, y, size = torch.tensor([p[1:] for p in placed], dtype=torch.float32, device=self.device).unbind(1)
        theta = torch.zeros(len(placed), 2, 3, device=self.device)
        theta[:, 0, 0] = theta[:, 1, 1] = 1 / size
        theta[:, 0, 2], theta[:, 1, 2] = (1 - 2 * x) / size, (1 - 2 * y) / size
        grid = F.affine_grid(theta, [len(placed), 4, self.size, self.size], align_corners=False)
        sprites = (self.full if placed[0][3] > 0.55 else self.half)[index]
        drawn = F.grid_sample(sprites.float() / 255, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        canvas[rows] = canvas[rows] * (1 - drawn[:, 3:]) + drawn[:, :3]

    @torch.no_grad()
    def draw(self, scenes):
        """Images of the scenes, [B, 3, S, S] in -1..1."""
        canvas = self.backgrounds(scenes)
        lists = [objects(self.library, s) for s in scenes]
        for slot in range(max(map(len, lists))):
            for large in (True, False):
                rows = [i for i, placed in enumerate(lists) if len(placed) > slot and (placed[slot][3] > 0.55) == large]
                if rows:
                    self.place(canvas, rows, [lists[i][slot] for i in rows])
        return canvas * 2 - 1


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
