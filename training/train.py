"""Trains the transformer and its text encoder on composed scenes.

python train.py --data build/sprites --names names/twenty-four.json --vae build/vae/slim.pt --tokenizer build/tokenizer
    --out build/ar --seconds 3900
To go on from an exported model, give its folder as --init and as --vae.
"""

import argparse
import os
import random

import torch
import torch.nn.functional as F

import bits
import captions
import common
import folder
import run as runs
import scene
import team as teams
from text_to_bits import TextToBits
from tokenizer import Tokenizer

# Looked at during training, beside captions of the training's own kind.
PROMPTS = [
    "a red apple",
    "a cat, flat style",
    "a dog on a blue background",
    "a rocket in cartoon style on a black background",
    "two stars, flat style",
    "three bananas, cartoon style",
    "a cat on the left and a dog on the right",
    "a star above a moon, purple background",
]

MIN_SEEN = 64  # scenes before any is shown again


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    common.add_data_arguments(add)
    runs.add_arguments(add)
    add("--vae", required=True, help="checkpoint or model folder of the autoencoder")
    add("--tokenizer", required=True, help="folder with tokenizer.json")
    add("--init", help="checkpoint or model folder to start from, with a fresh optimiser")
    add("--fresh", type=float, default=0.25, help="share of scenes that were not seen before")
    add("--shares", default=",".join(map(str, captions.SHARES)), help="how often one object comes, two, some of a kind")
    add("--depth", type=int, default=8)
    add("--width", type=int, default=192)
    add("--heads", type=int, default=4)
    add("--text-width", type=int, default=256)
    add("--text-layers", type=int, default=2)
    add("--text-len", type=int, default=32, help="captions are padded to so many tokens")
    add("--grow", default="0.3,0.6", help="parts of the stage at which the last scale but one and the last one join")
    add("--short", type=float, default=0.0, help="share of steps without the last two scales, once all have joined")
    add(
        "--tokens", type=int, default=1100, help="image tokens a step of each worker: the fewer scales, the more images"
    )
    add("--lr", type=float, default=1.5e-3)
    add("--weight-decay", type=float, default=0.02)
    add("--flip", type=float, default=0.2, help="largest chance that a bit of the input is flipped")
    add("--drop", type=float, default=0.1, help="chance that a caption is dropped, for guidance")
    add("--guidance", type=float, default=3.0)
    return parser.parse_args()


def tokenise(tokenizer, texts, length, device):
    """Texts -> ids [B, length] padded with 0, lengths [B]; what is longer is cut, keeping </s>."""
    ids = [tokenizer(t) for t in texts]
    ids = [i if len(i) <= length else i[: length - 1] + [1] for i in ids]
    padded = torch.tensor([i + [0] * (length - len(i)) for i in ids])
    return padded.to(device), torch.tensor([len(i) for i in ids]).to(device)


def scale_weights(sides, device):
    """[L] weights that sum to 1: a token of a scale of side s weighs 1 / s, so that the scale counts as its side."""
    w = torch.cat([torch.full((s * s,), 1.0 / s) for s in sides])
    return (w / w.sum()).to(device)


def joined(sides, grow, fraction):
    """The scales that have joined: all but the last ones at first, which have most of the tokens."""
    return sides[: len(sides) - sum(fraction < float(part) for part in grow.split(","))]


class Lessons:
    """Random batches of scenes as the autoencoder sees them, with fresh captions.

    Encoding costs a CPU more than learning. So every batch has a part of new scenes; the rest is taken from those seen
    before, which this worker keeps (fp16, some 8 KiB each).
    """

    def __init__(self, args, vae, device, rank):
        self.args, self.vae, self.device = args, vae, device
        self.painter = scene.load(args.data, args.size, device, args.names, args.styles)
        self.library, self.tokenizer = self.painter.library, Tokenizer(args.tokenizer)
        self.rng = random.Random(rank)
        self.shares = [float(share) for share in args.shares.split(",")]
        self.seen = []  # (scene, features [d, H, W])

    @torch.no_grad()
    def encode(self, scenes):
        """Features of new scenes, fp16 [B, d, H, W]."""
        x = self.painter.draw(scenes).contiguous(memory_format=torch.channels_last)
        with common.autocast(self.device):
            return self.vae.encoder(x).half().contiguous()

    def pairs(self, count):
        """`count` scenes with their features."""
        fresh = sum(self.rng.random() < self.args.fresh for _ in range(count))
        if len(self.seen) < MIN_SEEN:
            fresh = count
        old = self.rng.choices(self.seen, k=count - fresh) if fresh < count else []
        scenes = [captions.plan(self.rng, self.library, self.shares) for _ in range(fresh)]
        new = list(zip(scenes, self.encode(scenes))) if scenes else []
        if self.args.fresh < 1:
            self.seen += new
        return old + new

    def batch(self, count):
        """(features [count, d, H, W], ids [count, T], lengths [count])"""
        scenes, features = zip(*self.pairs(count))
        texts = [captions.caption(self.rng, self.library, s) for s in scenes]
        return torch.stack(features).float(), *tokenise(self.tokenizer, texts, self.args.text_len, self.device)


def losses(model, lesson, sides, args, device):
    """(loss, what the log shows of it: nats a bit at every scale)"""
    h, ids, lengths = lesson
    inputs, labels = bits.teacher(h, sides, args.flip)
    drop = torch.rand(len(h), device=device) < args.drop
    with common.autocast(device):
        logits = model(ids, lengths, inputs, sides, drop)
    each = F.binary_cross_entropy_with_logits(logits[..., 1] - logits[..., 0], labels, reduction="none").mean(-1)
    loss = (each * scale_weights(sides, device)).sum(1).mean()
    by_scale = [v.mean().item() for v in each.detach().split([s * s for s in sides], 1)]
    return loss, dict(loss=loss, scales=" ".join(f"{v:.3f}" for v in by_scale))


def draw_samples(run, lessons, vae, sides, full):
    """Writes a grid of the fixed prompts and of 16 captions, and the captions. Only the scales in `sides` are drawn."""
    args, rng, device = run.args, random.Random("samples"), lessons.device
    texts = PROMPTS + [
        captions.caption(rng, lessons.library, s) for s in captions.plans(lessons.library, "samples", 0, 16)
    ]
    ids, lengths = tokenise(lessons.tokenizer, texts, args.text_len, device)
    generator = torch.Generator(device).manual_seed(0)
    images = []
    with torch.no_grad(), common.autocast(device):
        for i in range(0, len(ids), 8):
            part = slice(i, i + 8)
            sample = run.average.module.sample
            images.append(vae.decode(sample(ids[part], lengths[part], sides, full, args.guidance, generator)))
    scene.save_grid(torch.cat(images), os.path.join(args.out, "samples.png"))
    with open(os.path.join(args.out, "samples.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(texts) + "\n")


def make_model(args, saved, vocab, bits_a_token):
    """The model of a checkpoint, of a model folder, or a new one."""
    if saved:
        return TextToBits(**saved)
    if args.init:
        return folder.load_networks(args.init).train()
    return TextToBits(
        text=dict(vocab_size=vocab, d_model=args.text_width, num_layers=args.text_layers),
        image=dict(
            depth=args.depth,
            embed_dim=args.width,
            num_heads=args.heads,
            text_channels=args.text_width,
            block_chunks=args.depth // 2,
            codebook_dim=bits_a_token,
        ),
    )


def main(args, team):
    device = common.pick_device()
    vae = folder.load_vae(args.vae, device)
    lessons = Lessons(args, vae, device, team.rank)
    side = args.size // vae.stride
    sides = common.sides_of(side)
    build = lambda saved: make_model(args, saved, lessons.tokenizer.size, vae.config["codebook_dim"])
    run = runs.Run(args, team, device, build, {"pn": common.pixels_of(side)})
    run.start(names=len(lessons.library.names))
    lessons.rng.seed(run.seed)
    while run.clock.fraction < 1:
        known = joined(sides, args.grow, run.clock.fraction)
        now = known[:-2] if known == sides and torch.rand(()).item() < args.short else known
        count = max(1, args.tokens // sum(s * s for s in now))
        loss, shown = losses(run.model, lessons.batch(count), now, args, device)
        if run.learn(loss, shown, count):
            draw_samples(run, lessons, vae, known, side)
    run.save()
    if team.leads:
        draw_samples(run, lessons, vae, sides, side)


if __name__ == "__main__":
    teams.run(main, arguments())
