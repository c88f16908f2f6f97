"""Checks a model folder against the published PyTorch code, on a CPU.

python verify.py MODEL --published DIR [--out PNG]
DIR is a checkout of github.com/StargazerX0/ScaleKV, or of FoundationVision/Infinity. Checked: every tensor's name and
shape; the text encoder; the autoencoder and its bits; the teacher-forced logits of real captions at every scale. Then
the published code draws the prompts itself. The last line is `passed` or what failed.
"""

import argparse
import os
import sys

import torch

import bits as b
import common
import folder
import scene
from lessons import tokenise
from published import stand_ins
from published.t5 import encode
from tokenizer import Tokenizer
from train import PROMPTS

# Largest differences in fp32: the two sum in different orders.
LIMITS = {"text": 1e-4, "encoder": 1e-3, "decoder": 1e-3, "codes": 1e-5, "bits": 0, "logits": 1e-3}


def furthest(a, c):
    """The largest absolute difference."""
    return (a.float() - c.float()).abs().max().item()


def load_published(path, config):
    """The published classes with a folder's weights, loaded strictly, but for a mask that is no weight."""
    from published import networks

    weights = lambda stem: {k: t.float() for k, t in folder.load_weights(os.path.join(path, stem)).items()}
    vae = networks.build_vae(config["vae"], config["stride"])
    left = vae.load_state_dict(weights("vae"), strict=False)
    if left.unexpected_keys or any(not k.endswith("lfq.mask") for k in left.missing_keys):
        raise SystemExit(f"the autoencoder's names differ: {left}")
    net = networks.build_transformer(vae, config)
    torch.nn.Module.load_state_dict(net, weights("infinity"), strict=True)
    return net, vae


def check_text(path, net, prompts):
    """(largest difference of the text features, ids, lengths, features of both encoders)"""
    config = folder.read_json(os.path.join(path, "t5", "config.json"))
    weights = {k: t.float() for k, t in folder.load_weights(os.path.join(path, "t5", "model")).items()}
    tokenizer = Tokenizer(os.path.join(path, "t5"))
    ids, lengths = tokenise(tokenizer, prompts, max(len(tokenizer(p)) for p in prompts))
    mine = net.text(ids, lengths)
    theirs = [encode(weights, config, row[:n]) for row, n in zip(ids, lengths)]
    return max(furthest(mine[i, : len(f)], f) for i, f in enumerate(theirs)), lengths, mine, theirs


def check_vae(vae, theirs, x, sides):
    """(largest differences, features of their encoder, bits of every scale as they hold them)"""
    h = vae.encoder(x)
    their_h, their_z, _, their_bits, _, _ = theirs.encode(x, [(1, s, s) for s in sides])
    z, drawn, _, _ = b.quantize(their_h, sides)
    different = sum((mine.bool() != their.squeeze(1).bool()).sum().item() for mine, their in zip(drawn, their_bits))
    errors = {
        "encoder": furthest(h, their_h),
        "decoder": furthest(vae.decoder(their_z), theirs.decoder(their_z)),
        "codes": furthest(z, their_z),
        "bits": different,
    }
    return errors, their_h, [bit.clone() for bit in their_bits]


@torch.no_grad()
def compare(path, prompts, guidance):
    """(largest difference by name, images of the published code [B, 3, S, S] in -1..1)"""
    from published import networks

    config = folder.read_json(os.path.join(path, "config.json"))
    net, vae = folder.load_networks(path).eval(), folder.load_vae(path)
    their_net, their_vae = load_published(path, config)
    print("names and shapes: equal")
    sides = common.SCHEDULES[config["pn"]]
    schedule = [(1, s, s) for s in sides]
    text, lengths, mine, theirs = check_text(path, net, prompts)
    x = (
        torch.rand(len(prompts), 3, *[sides[-1] * config["stride"]] * 2, generator=torch.Generator().manual_seed(0)) * 2
        - 1
    )
    errors, h, forced = check_vae(vae, their_vae, x, sides)
    inputs, _ = b.teacher(h, sides, 0.0)
    logits = net.image(mine, lengths, inputs, sides).flatten(2)
    their_logits, _ = networks.infer(their_net, their_vae, theirs, schedule, 1.0, forced)
    errors = {"text": text, **errors, "logits": furthest(logits, torch.cat(their_logits, 1))}
    print(f"largest logit {logits.abs().max().item():.3g}")
    _, images = networks.infer(their_net, their_vae, theirs, schedule, guidance)
    return errors, images.flip(-1).permute(0, 3, 1, 2).float() / 127.5 - 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--published", required=True, help="checkout of the published code")
    parser.add_argument("--out", default="build/verify.png", help="pictures that the published code drew")
    parser.add_argument("--guidance", type=float, default=3.0)
    args = parser.parse_args()
    stand_ins.install(args.published)
    errors, images = compare(args.folder, PROMPTS, args.guidance)
    os.makedirs(os.path.dirname(args.out) or ".", exist_ok=True)
    scene.save_grid(images, args.out)
    for name, error in errors.items():
        print(f"{name}: {error:.3g}, at most {LIMITS[name]:.3g}")
    failed = [name for name, error in errors.items() if error > LIMITS[name]]
    print("FAILED: " + ", ".join(failed) if failed else "passed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
