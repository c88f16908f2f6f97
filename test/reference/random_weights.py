"""Random weights by name and place, the same here and in test/support/random-weights.ts.

Nothing is drawn in an order: a number is the finaliser of MurmurHash3 over the name's FNV-1a hash and the place, so a
network of any size is made on both sides without a file between them.
"""
import numpy as np
import torch


def uniforms(name, count):
    """Numbers in [-1, 1), 24 bits each, for the places 0 to count - 1 of a tensor."""
    word = 0x811C9DC5
    for byte in name.encode():
        word = ((word ^ byte) * 0x01000193) & 0xFFFFFFFF
    h = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(word)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return (h >> np.uint32(8)) / 2**23 - 1


def weight(name, shape):
    """A tensor whose spread keeps a signal's size through dozens of layers; variances and norms are about 1."""
    u = uniforms(name, int(np.prod(shape)))
    if name.endswith("running_var"):
        values = 1 + 0.3 * u
    elif name.endswith("bn.weight"):
        values = 1 + 0.1 * u
    elif name.startswith("lin"):
        values = 0.5 + 0.5 * u  # LPIPS has no weight below 0
    elif len(shape) > 1:
        values = u * np.sqrt(6 / np.prod(shape[1:]))
    else:
        values = 0.1 * u
    return torch.from_numpy(values.astype(np.float32).reshape(shape))
