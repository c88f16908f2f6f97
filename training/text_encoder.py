"""A T5 encoder with the parameter names of Hugging Face's `T5EncoderModel`. B texts, T tokens, H heads."""

import math

import torch
from torch import nn

from gelu import gelu


class RMSNorm(nn.Module):
    """Over the last axis, without a bias."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        x = x.float()
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


def heads(x, count):
    """[B, n, count * c] -> [B, count, n, c]"""
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


class T5Attention(nn.Module):
    """Self-attention; the first layer holds the position bias that all layers share."""

    def __init__(self, width, kv, count, biased):
        super().__init__()
        self.count = count
        self.q, self.k, self.v = (nn.Linear(width, kv * count, bias=False) for _ in range(3))
        self.o = nn.Linear(kv * count, width, bias=False)
        if biased:
            self.relative_attention_bias = nn.Embedding(32, count)

    def forward(self, x, bias):
        """x [B, T, width], bias [B, H, T, T]; T5 does not scale the scores."""
        q, k, v = (heads(p(x), self.count) for p in (self.q, self.k, self.v))
        scores = (q @ k.transpose(-1, -2)).float() + bias
        return self.o((torch.softmax(scores, -1).to(v.dtype) @ v).transpose(1, 2).flatten(2))


class T5FeedForward(nn.Module):
    """Gated GELU, as in FLAN-T5."""

    def __init__(self, width, hidden):
        super().__init__()
        self.wi_0, self.wi_1 = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.wo = nn.Linear(hidden, width, bias=False)

    def forward(self, x):
        return self.wo(gelu(self.wi_0(x)) * self.wi_1(x))


class T5Part(nn.Module):
    """A norm and what it feeds, under the published name of the latter."""

    def __init__(self, width, name, inner):
        super().__init__()
        self.name, self.layer_norm = name, RMSNorm(width)
        self.add_module(name, inner)

    def forward(self, x, *rest):
        return x + getattr(self, self.name)(self.layer_norm(x), *rest)


class T5Block(nn.Module):
    """Attention, then feed-forward."""

    def __init__(self, width, kv, count, hidden, biased):
        super().__init__()
        self.layer = nn.ModuleList(
            [
                T5Part(width, "SelfAttention", T5Attention(width, kv, count, biased)),
                T5Part(width, "DenseReluDense", T5FeedForward(width, hidden)),
            ]
        )

    def forward(self, x, bias):
        return self.layer[1](self.layer[0](x, bias))


class TextEncoder(nn.Module):
    """ids [B, T] and lengths [B] -> features [B, T, d_model]"""

    def __init__(self, vocab_size, d_model=256, d_kv=64, num_heads=4, d_ff=512, num_layers=2):
        super().__init__()
        self.config = dict(
            vocab_size=vocab_size, d_model=d_model, d_kv=d_kv, num_heads=num_heads, d_ff=d_ff, num_layers=num_layers
        )
        self.shared = nn.Embedding(vocab_size, d_model)
        self.encoder = nn.Module()
        self.encoder.block = nn.ModuleList(T5Block(d_model, d_kv, num_heads, d_ff, i == 0) for i in range(num_layers))
        self.encoder.final_layer_norm = RMSNorm(d_model)
        self.reset()

    def reset(self):
        """Mesh TensorFlow's scales: unscaled scores need small queries, the residual stream small additions."""
        c = self.config
        stds = {"q": (c["d_model"] * c["d_kv"]) ** -0.5, "shared": 1.0, "relative_attention_bias": 0.1}
        for name, p in self.named_parameters():
            if p.ndim == 2:
                added = name.endswith(("o.weight", "wo.weight"))
                std = stds.get(name.split(".")[-2], p.shape[1] ** -0.5)
                nn.init.normal_(p, std=std * ((2 * c["num_layers"]) ** -0.5 if added else 1))

    @staticmethod
    def buckets(n, device):
        """[n, n] bucket of key position minus query position: 16 each way, exact below 8, then by logarithm to 128."""
        at = torch.arange(n, device=device)
        away = at[None] - at[:, None]
        far = 8 + (torch.log(away.abs().clamp(min=1) / 8) / math.log(16) * 8).long()
        return (away > 0) * 16 + torch.where(away.abs() < 8, away.abs(), far.clamp(max=15))

    def forward(self, ids, lengths):
        n = ids.shape[1]
        table = self.encoder.block[0].layer[0].SelfAttention.relative_attention_bias
        bias = table(self.buckets(n, ids.device)).permute(2, 0, 1)[None].float()
        hidden = torch.arange(n, device=ids.device) >= lengths[:, None]
        bias = bias.masked_fill(hidden[:, None, None], -math.inf)
        x = self.shared(ids)
        for block in self.encoder.block:
            x = block(x, bias)
        return self.encoder.final_layer_norm(x)
