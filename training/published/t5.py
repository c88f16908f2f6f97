"""A T5 encoder in plain functions over a state dict, one text at a time: a second opinion on text_encoder.py.

Written after the description of T5 v1.1 (arXiv 1910.10683, 2002.05202): RMS norm, unscaled scores, bucketed relative
positions shared by all layers, gated GELU.
"""

import math

import torch


def rms_norm(x, weight, epsilon):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + epsilon) * weight


def bucket(away, buckets, farthest):
    """The bucket of a key `away` positions after the query."""
    half = buckets // 2
    exact = half // 2
    side = half if away > 0 else 0
    distance = abs(away)
    if distance < exact:
        return side + distance
    log = math.log(distance / exact) / math.log(farthest / exact) * (half - exact)
    return side + min(half - 1, exact + int(log))


def gelu_tanh(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def encode(weights, config, ids):
    """ids [T] -> features [T, d_model]"""
    count, kv, epsilon = config["num_heads"], config["d_kv"], config["layer_norm_epsilon"]
    n = len(ids)
    table = weights["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    sizes = config["relative_attention_num_buckets"], config["relative_attention_max_distance"]
    bias = torch.stack([torch.stack([table[bucket(k - q, *sizes)] for k in range(n)]) for q in range(n)]).permute(
        2, 0, 1
    )
    x = weights["shared.weight"][ids]
    for layer in range(config["num_layers"]):
        at, ff = (f"encoder.block.{layer}.layer.{part}." for part in (0, 1))
        h = rms_norm(x, weights[at + "layer_norm.weight"], epsilon)
        q, k, v = (
            (h @ weights[f"{at}SelfAttention.{name}.weight"].T).reshape(n, count, kv).transpose(0, 1) for name in "qkv"
        )
        mixed = torch.softmax(q @ k.transpose(1, 2) + bias, -1) @ v
        x = x + mixed.transpose(0, 1).reshape(n, count * kv) @ weights[at + "SelfAttention.o.weight"].T
        h = rms_norm(x, weights[ff + "layer_norm.weight"], epsilon)
        wi_0, wi_1, wo = (weights[f"{ff}DenseReluDense.{name}.weight"].T for name in ("wi_0", "wi_1", "wo"))
        x = x + (gelu_tanh(h @ wi_0) * (h @ wi_1)) @ wo
    return rms_norm(x, weights["encoder.final_layer_norm.weight"], epsilon)
