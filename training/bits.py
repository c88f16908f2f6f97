"""Bits and codes: what the autoencoder's features become at every scale, and what the transformer learns from.

B images, d bits a token, h x w tokens a map. A scale's map has `side` x `side` tokens.
"""

import torch
import torch.nn.functional as F

from common import resize


def codes_of(bits):
    """Bits [B, h, w, d] in {0, 1} -> codes [B, d, h, w] of length 1."""
    return ((bits.float() * 2 - 1) / bits.shape[-1] ** 0.5).permute(0, 3, 1, 2)


def quantize(h, sides):
    """Multi-scale residual quantisation with straight-through gradients.

    h [B, d, H, W] -> (sum of codes [B, d, H, W], bits of every scale [B, side, side, d], mean squared distance of unit
    vectors from their codes, entropy penalty)
    """
    full, d = h.shape[-1], h.shape[1]
    residual, total, bits, commit, entropy = h, 0, [], 0, 0
    for side in sides:
        unit = F.normalize(resize(residual, side, "area"), dim=1)
        code = torch.where(unit > 0, 1.0, -1.0).to(unit.dtype) / d**0.5
        bits.append((unit > 0).permute(0, 2, 3, 1))
        commit = commit + (unit - code).square().sum(1).mean()
        entropy = entropy + entropy_penalty(unit)
        up = resize(unit + (code - unit).detach(), full, "bilinear")
        residual = residual - up.detach()
        total = total + up
    return total, bits, commit / len(sides), entropy / len(sides)


def entropy_penalty(unit):
    """Low when bits are sure one by one and balanced over the batch. unit [B, d, h, w], each token of length 1."""
    p = torch.sigmoid(4 * unit.shape[1] ** 0.5 * unit)
    return binary_entropy(p).mean() - binary_entropy(p.mean((0, 2, 3))).mean()


def binary_entropy(p):
    """In nats."""
    p = p.clamp(1e-5, 1 - 1e-5)
    return -(p * p.log() + (1 - p) * (1 - p).log())


def teacher(h, sides, strength):
    """Inputs and labels from features; some bits are flipped, so that the model learns to mend its mistakes.

    h [B, d, H, W]. Each image and scale flips its bits with a chance drawn from 0..strength; what is flipped goes into
    the running sum, so that later labels correct it. `sides` may stop short of the last scale.
    Returns (inputs of the scales after the first [B, L - 1, d], labels [B, L, d] in {0, 1}).
    """
    full, total, inputs, labels = h.shape[-1], torch.zeros_like(h), [], []
    for i, side in enumerate(sides):
        bits = (resize(h - total, side, "area") > 0).permute(0, 2, 3, 1)
        labels.append(bits.flatten(1, 2))
        chance = torch.rand(len(h), 1, 1, 1, device=h.device) * strength
        bits = bits ^ (torch.rand(bits.shape, device=h.device) < chance)
        total = total + resize(codes_of(bits), full, "bilinear")
        if i + 1 < len(sides):
            inputs.append(tokens_of(total, sides[i + 1]))
    empty = h.new_zeros(len(h), 0, h.shape[1])
    return torch.cat([empty, *inputs], 1), torch.cat(labels, 1).float()


def tokens_of(total, side):
    """The running sum [B, d, H, W] as the transformer reads it at the next scale: [B, side * side, d]."""
    return resize(total, side, "bilinear").flatten(2).transpose(1, 2)
