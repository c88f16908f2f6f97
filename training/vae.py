"""BSQ autoencoder: an image becomes d bits a token at every scale of a schedule.

Parameter names are those of the published autoencoder (`encoder.down.0.block.0.conv1.conv.weight`, ...). B images of
S x S pixels, d bits a token, h x w tokens on the last map.
"""

import torch
import torch.nn.functional as F
from torch import nn

from bits import quantize


class Conv(nn.Module):
    """A convolution under its published name, `NAME.conv`."""

    def __init__(self, i, o, kernel, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(i, o, kernel, stride, padding)

    def forward(self, x):
        return self.conv(x)


class NormSilu(nn.Module):
    """A group norm under its published name, `NAME.norm`, then SiLU: 32 groups, or 24 where 32 does not divide."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(32 if channels % 32 == 0 else 24, channels, eps=1e-6)

    def forward(self, x):
        """In fp32: in bf16, PyTorch 1.13 on a CPU loses the mean of the sums."""
        return F.silu(self.norm(x.float())).to(x.dtype)


class ResBlock(nn.Module):
    """[B, i, H, W] -> [B, o, H, W]"""

    def __init__(self, i, o):
        super().__init__()
        self.norm1, self.conv1 = NormSilu(i), Conv(i, o, 3, padding=1)
        self.norm2, self.conv2 = NormSilu(o), Conv(o, o, 3, padding=1)
        if i != o:
            self.nin_shortcut = Conv(i, o, 1)

    def forward(self, x):
        h = self.conv2(self.norm2(self.conv1(self.norm1(x))))
        return (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x) + h


class Down(nn.Module):
    """Halves the sides; the padding is on the right and the bottom only."""

    def __init__(self, channels):
        super().__init__()
        self.conv = Conv(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Up(nn.Module):
    """Doubles the sides, by nearest neighbours."""

    def __init__(self, channels):
        super().__init__()
        self.conv = Conv(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Middle(nn.Module):
    """Two residual blocks between the encoder's or the decoder's levels and its end; no attention."""

    def __init__(self, channels):
        super().__init__()
        self.block_1, self.block_2 = ResBlock(channels, channels), ResBlock(channels, channels)

    def forward(self, x):
        return self.block_2(self.block_1(x))


class Encoder(nn.Module):
    """[B, 3, S, S] in -1..1 -> [B, d, S / stride, S / stride], stride = 2 ** (levels - 1)"""

    def __init__(self, ch, mult, blocks, d):
        super().__init__()
        self.conv_in = Conv(3, ch, 3, padding=1)
        self.down = nn.ModuleList()
        now = ch
        for level, m in enumerate(mult):
            stage = nn.Module()
            stage.block = nn.ModuleList()
            for _ in range(blocks):
                stage.block.append(ResBlock(now, ch * m))
                now = ch * m
            if level < len(mult) - 1:
                stage.downsample = Down(now)
            self.down.append(stage)
        self.mid, self.norm_out, self.conv_out = Middle(now), NormSilu(now), Conv(now, d, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for stage in self.down:
            for block in stage.block:
                x = block(x)
            if hasattr(stage, "downsample"):
                x = stage.downsample(x)
        return self.conv_out(self.norm_out(self.mid(x)))


class Decoder(nn.Module):
    """[B, d, h, h] -> [B, 3, h * stride, h * stride]"""

    def __init__(self, ch, mult, blocks, d):
        super().__init__()
        now = ch * mult[-1]
        self.conv_in, self.mid = Conv(d, now, 3, padding=1), Middle(now)
        stages = []
        for level in reversed(range(len(mult))):
            stage = nn.Module()
            stage.block = nn.ModuleList()
            for _ in range(blocks + 1):
                stage.block.append(ResBlock(now, ch * mult[level]))
                now = ch * mult[level]
            if level:
                stage.upsample = Up(now)
            stages.insert(0, stage)
        self.up = nn.ModuleList(stages)
        self.norm_out, self.conv_out = NormSilu(now), Conv(now, 3, 3, padding=1)

    def forward(self, z):
        x = self.mid(self.conv_in(z))
        for stage in reversed(self.up):
            for block in stage.block:
                x = block(x)
            if hasattr(stage, "upsample"):
                x = stage.upsample(x)
        return self.conv_out(self.norm_out(x))


class AutoEncoder(nn.Module):
    """Encoder, quantiser and decoder. `ch_mult` has one entry a level; each level but the last halves the sides."""

    def __init__(self, base_ch=64, ch_mult=(1, 1, 2, 2), codebook_dim=16, num_res_blocks=2):
        super().__init__()
        self.config = dict(
            codebook_dim=codebook_dim, base_ch=base_ch, ch_mult=list(ch_mult), num_res_blocks=num_res_blocks
        )
        self.stride = 2 ** (len(ch_mult) - 1)
        self.encoder = Encoder(base_ch, ch_mult, num_res_blocks, codebook_dim)
        self.decoder = Decoder(base_ch, ch_mult, num_res_blocks, codebook_dim)
        self.carry()

    @torch.no_grad()
    def carry(self):
        """Adds a straight path through the convolutions outside the residual branches.

        Without it colours take thousands of steps to get through: the group norms keep little of a flat map's mean.
        """
        for name, p in self.named_parameters():
            if p.ndim == 4 and "conv1" not in name and "conv2" not in name:
                o = torch.arange(p.shape[0])
                p[o, o % p.shape[1], p.shape[2] // 2, p.shape[3] // 2] += 1

    def forward(self, x, sides):
        """x [B, 3, S, S] in -1..1 -> (image, features h, quantised features, commitment, entropy penalty)"""
        h = self.encoder(x).float()
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=False):
            z, bits, commit, entropy = quantize(h, sides)
        return self.decoder(z), h, z, commit, entropy

    def decode(self, total):
        """Summed codes of all scales [B, d, h, w] -> images [B, 3, S, S] in -1..1."""
        return self.decoder(total).float().clamp(-1, 1)


def reconstruction_loss(y, x):
    """L1 at three scales, and L1 on differences of neighbours, which keeps edges sharp."""
    loss = 0
    for weight in (1.0, 0.5, 0.25):
        dx = (y[..., 1:] - y[..., :-1]) - (x[..., 1:] - x[..., :-1])
        dy = (y[..., 1:, :] - y[..., :-1, :]) - (x[..., 1:, :] - x[..., :-1, :])
        loss = loss + weight * ((y - x).abs().mean() + 0.5 * (dx.abs().mean() + dy.abs().mean()))
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return loss
