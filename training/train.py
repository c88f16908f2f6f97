"""Trains the transformer and its text encoder on composed scenes.

python train.py --data build/sprites --names names/forty.json --vae build/vae/slim.pt --tokenizer build/tokenizer
    --out build/ar --seconds 3900
To go on from an exported model, give its folder as --init and as --vae.
"""

import argparse
import os
import random
from functools import lru_cache

import torch
import torch.nn.functional as F

import bits
import captions
import common
import folder
import lessons as lesson_plans
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


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    common.add_data_arguments(add)
    runs.add_arguments(add)
    lesson_plans.add_arguments(add)
    add("--vae", required=True, help="checkpoint or model folder of the autoencoder")
    add("--tokenizer", required=True, help="folder with tokenizer.json")
    add("--init", help="checkpoint or model folder to start from, with a fresh optimiser")
    add("--depth", type=int, default=8)
    add("--width", type=int, default=192)
    add("--heads", type=int, default=4)
    add("--text-width", type=int, default=256)
    add("--text-layers", type=int, default=2)
    add("--grow", default="0.3,0.6", help="parts of the stage at which the last scales join, one by one")
    add("--short", type=float, default=0.0, help="share of steps without the last --skip scales, once all have joined")
    add("--skip", type=int, default=2, help="how many of the last scales short steps leave out")
    add(
        "--tokens", type=int, default=1100, help="image tokens a step of each worker: the fewer scales, the more images"
    )
    add("--lr", type=float, default=1.5e-3)
    add("--weight-decay", type=float, default=0.02)
    add("--flip", type=float, default=0.2, help="largest chance that a bit of the input is flipped")
    add("--drop", type=float, default=0.1, help="chance that a caption is dropped, for guidance")
    add("--guidance", type=float, default=3.0)
    return parser.parse_args()


@lru_cache(None)
def scale_weights(sides, device):
    """[L] weights that sum to 1: a token of a scale of side s weighs 1 / s, so that the scale counts as its side."""
    w = torch.cat([torch.full((s * s,), 1.0 / s) for s in sides])
    return (w / w.sum()).to(device)


def joined(sides, grow, fraction):
    """The scales that have joined: all but the last ones at first, which have most of the tokens."""
    return sides[: len(sides) - sum(fraction < float(part) for part in grow.split(","))]


def losses(model, lesson, sides, args, device):
    """(loss, what the log shows of it: nats a bit at every scale)"""
    h, ids, lengths = lesson
    inputs, labels = bits.teacher(h, sides, args.flip)
    drop = torch.rand(len(h), device=device) < args.drop
    with common.autocast(device):
        logits = model(ids, lengths, inputs, sides, drop)
    each = F.binary_cross_entropy_with_logits(logits[..., 1] - logits[..., 0], labels, reduction="none").mean(-1)
    loss = (each * scale_weights(tuple(sides), device)).sum(1).mean()
    by_scale = torch.stack([v.mean() for v in each.detach().split([s * s for s in sides], 1)])
    return loss, dict(loss=loss.detach(), scales=by_scale)


def draw_samples(run, lessons, vae, sides, full):
    """Writes a grid of the fixed prompts and of 16 captions, and the captions. Only the scales in `sides` are drawn."""
    args, rng, device, library = run.args, random.Random("samples"), lessons.device, lessons.painter.library
    texts = PROMPTS + [captions.caption(rng, library, s) for s in captions.plans(library, "samples", 0, 16)]
    ids, lengths = (t.to(device) for t in lesson_plans.tokenise(lessons.tokenizer, texts, args.text_len))
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


def check(args, sides):
    """Refuses what would leave no scale to learn, and planners of workers, which may have no processes of their own."""
    last = len(sides) - 1
    if not 0 <= args.skip <= last or len(args.grow.split(",")) > last:
        raise SystemExit(f"--skip {args.skip}, --grow {args.grow}: of {len(sides)} scales at most {last} can be left out")
    if args.workers > 1 and args.planners > 0:
        raise SystemExit(f"--planners {args.planners}: with --workers {args.workers} each plans for itself")
    if args.memory < lesson_plans.AT_ONCE:
        raise SystemExit(f"--memory {args.memory}: at least {lesson_plans.AT_ONCE}, the scenes of a plan")


def main(args, team):
    device = common.pick_device()
    vae = folder.load_vae(args.vae, device)
    painter, tokenizer = scene.load(args.data, args.size, device, args.names, args.styles), Tokenizer(args.tokenizer)
    side = args.size // vae.stride
    sides = common.sides_of(side)
    check(args, sides)
    build = lambda saved: make_model(args, saved, tokenizer.size, vae.config["codebook_dim"])
    run = runs.Run(args, team, device, build, {"pn": common.pixels_of(side)})
    run.compile(run.model.image.blocks)
    lessons = lesson_plans.Lessons(args, painter, tokenizer, vae, run.seed)
    run.start(names=len(painter.library.names))
    while run.clock.fraction < 1:
        known = joined(sides, args.grow, run.clock.fraction)
        short = known == sides and torch.rand(()).item() < args.short
        now = known[: len(known) - args.skip] if short else known
        count = max(1, args.tokens // sum(s * s for s in now))
        loss, shown = losses(run.model, lessons.batch(count), now, args, device)
        if run.learn(loss, shown, count):
            draw_samples(run, lessons, vae, known, side)
    run.save()
    if team.leads:
        draw_samples(run, lessons, vae, sides, side)


if __name__ == "__main__":
    teams.run(main, arguments())
