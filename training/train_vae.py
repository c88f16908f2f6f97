"""Trains the autoencoder on composed scenes.

python train_vae.py --data build/sprites --names names/forty.json --out build/vae --seconds 1000 --crop 64 --cooldown 0
"""

import argparse
import os

import torch

import captions
import common
import folder
import run as runs
import scene
import team as teams
from vae import AutoEncoder, NormSilu, reconstruction_loss


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    common.add_data_arguments(add)
    runs.add_arguments(add)
    add("--init", help="checkpoint or model folder to start from, with a fresh optimiser")
    add("--crop", type=int, help="train on crops of this side; the networks are convolutional, so it carries over")
    add("--base-ch", type=int, default=48, help="channels at full size; under 48, group norms lose the colours")
    add("--ch-mult", default="1,1,2,2", help="channels of every level; each halves the side")
    add("--bits", type=int, default=16, help="of one token")
    add("--batch", type=int, default=4, help="pictures a step of each worker")
    add("--lr", type=float, default=1e-3)
    add("--weight-decay", type=float, default=1e-4)
    add("--freeze-encoder", action="store_true", help="only the decoder learns, so that the meaning of the bits stays")
    return parser.parse_args()


def make_model(args, saved):
    """The model of a checkpoint, of --init, or a new one."""
    if args.init and not saved:
        return folder.load_vae(args.init).requires_grad_(True).train()
    multipliers = [int(m) for m in args.ch_mult.split(",")]
    return AutoEncoder(**(saved or dict(base_ch=args.base_ch, ch_mult=multipliers, codebook_dim=args.bits)))


def crop(x, side, stride):
    """One random window of [B, 3, S, S], the same for all pictures and on the grid of tokens: [B, 3, side, side]."""
    if not side:
        return x
    top, left = (torch.randint((x.shape[-1] - side) // stride + 1, (2,)) * stride).tolist()
    return x[..., top : top + side, left : left + side]


def losses(net, x, sides, device):
    """(loss, what the log shows of it)

    commit and near keep what the encoder says close to the codes, entropy keeps all bits in use.
    """
    with common.autocast(device):
        y, h, z, commit, entropy = net(x, sides)
    rec = reconstruction_loss(y.float(), x)
    near = (h - z.detach()).square().sum(1).mean()
    loss = rec + 0.05 * commit + 0.02 * near + 0.01 * entropy
    quality = common.psnr(y.detach().float().clamp(-1, 1), x)
    return loss, dict(loss=loss, rec=rec, psnr=quality, commit=commit, near=near, entropy=entropy)


@torch.no_grad()
def look(run, sides, painter, device):
    """Logs the PSNR of 32 fixed scenes and draws them above their reconstructions."""
    x = painter.draw(captions.plans(painter.library, "check", 0, 32)).contiguous(memory_format=torch.channels_last)
    with common.autocast(device):
        y = torch.cat([run.average.module(part, sides)[0].float().clamp(-1, 1) for part in x.split(8)])
    run.log(check_psnr=common.psnr(y, x))
    rows = [torch.cat([x[i : i + 8], y[i : i + 8]]) for i in range(0, 32, 8)]
    scene.save_grid(torch.cat(rows), os.path.join(run.args.out, "reconstructions.png"))


def main(args, team):
    device = common.pick_device()
    run = runs.Run(args, team, device, lambda saved: make_model(args, saved), {})
    model = run.model
    model.encoder.requires_grad_(not args.freeze_encoder)
    run.compile(m for m in model.modules() if isinstance(m, NormSilu))
    sides = common.sides_of(args.size // model.stride)
    seen_sides = [s for s in sides if not args.crop or s <= args.crop // model.stride]
    painter = scene.load(args.data, args.size, device, args.names, args.styles)
    run.start(sprites=len(painter.library.sprites))
    while run.clock.fraction < 1:
        x = painter.draw(captions.plans(painter.library, "vae", run.seed, args.batch))
        x = crop(x, args.crop, model.stride).contiguous(memory_format=torch.channels_last)
        loss, shown = losses(model, x, seen_sides, device)
        if run.learn(loss, shown, args.batch):
            look(run, sides, painter, device)
    run.save()
    if team.leads:
        look(run, sides, painter, device)


if __name__ == "__main__":
    teams.run(main, arguments())
