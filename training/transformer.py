"""The transformer, with the parameter names of the published next-scale transformer.

B images, T text tokens, L image tokens of all scales together, C width, H heads, d bits a token.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import nn

from gelu import gelu
from text_encoder import RMSNorm, heads

FUSED = getattr(F, "scaled_dot_product_attention", None)  # torch 2
# Scales are attended to one by one, except that the small first ones share one masked call of at most so many tokens.
MERGE = 130
# Positions of every scale are laid on the last map of the published 1M schedule.
GRID = 64


def attend(q, k, v, scale, mask=None):
    """q [B, H, n, c], k and v [B, H, m, c], mask True where a key is seen -> [B, n, H * c]"""
    if FUSED:
        out = FUSED(q, k, v, attn_mask=mask, scale=scale)
    else:
        scores = (q * scale) @ k.transpose(-1, -2)
        out = torch.softmax(scores if mask is None else scores.masked_fill(~mask, -math.inf), -1) @ v
    return out.transpose(1, 2).flatten(2)


@lru_cache(None)
def segments_of(sides):
    """Ranges (start, end) of queries that see the keys [0, end); the first one needs a block-causal mask."""
    ends = [sum(s * s for s in sides[: i + 1]) for i in range(len(sides))]
    merged = max([i for i, end in enumerate(ends) if end <= MERGE], default=0)
    return [(0, ends[merged])] + [(ends[i - 1], ends[i]) for i in range(merged + 1, len(sides))]


@lru_cache(None)
def layout(sides, head_dim, device):
    """What depends on the schedule alone: (segments, mask of the first segment, level [L], turns [2, L, head_dim / 2]).

    level is each token's scale; turns are cosines and sines of angles, first those of the row, then of the column.
    """
    segments = segments_of(sides)
    level = torch.cat([torch.full((s * s,), i) for i, s in enumerate(sides)])
    first = level[: segments[0][1]]
    half = head_dim // 2
    speed = 10000.0 ** (-torch.arange(0, half, 2).float() / half)
    angles = []
    for s in sides:
        at = (torch.arange(s) * (GRID / s)).round()[:, None] * speed
        angles.append(torch.cat([at[:, None].expand(s, s, -1), at[None].expand(s, s, -1)], -1).flatten(0, 1))
    angles = torch.cat(angles)
    turns = torch.stack([angles.cos(), angles.sin()])
    return segments, (first[:, None] >= first[None]).to(device), level.to(device), turns.to(device)


def rotate(x, turns):
    """Turns the pairs (2i, 2i + 1) of the last dimension. x [B, H, L, c] fp32, turns [2, L, c / 2]"""
    (a, b), (cos, sin) = x.unflatten(-1, (-1, 2)).unbind(-1), turns
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


def plain_norm(x):
    """Layer norm without gain and bias, in fp32."""
    return F.layer_norm(x.float(), x.shape[-1:], eps=1e-6)


class SelfAttention(nn.Module):
    """Cosine attention with a learned sharpness for each head."""

    def __init__(self, width, count):
        super().__init__()
        self.count = count
        self.scale_mul_1H11 = nn.Parameter(torch.full((1, count, 1, 1), math.log(4.0)))
        self.mat_qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("zero_k_bias", torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, x, shape):
        """x [B, L, C] -> [B, L, C]"""
        segments, mask, _, turns = shape
        bias = torch.cat([self.q_bias, self.zero_k_bias, self.v_bias])
        q, k, v = (heads(t, self.count) for t in F.linear(x, self.mat_qkv.weight, bias).chunk(3, -1))
        sharpness = self.scale_mul_1H11.clamp(max=math.log(100.0)).exp()
        q = rotate(F.normalize(q.float(), dim=-1) * sharpness, turns).to(v.dtype)
        k = rotate(F.normalize(k.float(), dim=-1), turns).to(v.dtype)
        parts = [attend(q[:, :, s:e], k[:, :, :e], v[:, :, :e], 1.0, None if s else mask) for s, e in segments]
        return self.proj(torch.cat(parts, 1))


class CrossAttention(nn.Module):
    """Attention on the text; with `pool` the only query is a learned one."""

    def __init__(self, width, kv_width, count, pool=False):
        super().__init__()
        self.count, self.pool = count, pool
        learned = torch.randn(1, count, width // count) * (1 / width / 3) ** 0.5
        self.mat_q = nn.Parameter(learned) if pool else nn.Linear(width, width)
        self.mat_kv = nn.Linear(kv_width, 2 * width, bias=False)
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("zero_k_bias", torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, x, text, seen):
        """x [B, L, C] (None when pooling), text [B, T, kv_width], seen [B, 1, 1, T]"""
        both = F.linear(text, self.mat_kv.weight, torch.cat([self.zero_k_bias, self.v_bias]))
        k, v = (heads(t, self.count) for t in both.chunk(2, -1))
        q = (
            self.mat_q[:, :, None].repeat(len(text), 1, 1, 1).to(k.dtype)
            if self.pool
            else heads(self.mat_q(x), self.count)
        )
        return self.proj(attend(q, k, v, q.shape[-1] ** -0.5, seen))


class FeedForward(nn.Module):
    """Two layers with GELU between them."""

    def __init__(self, width, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(gelu(self.fc1(x)))


class Block(nn.Module):
    """Self-attention and feed-forward modulated by the pooled text, cross-attention on the text between them."""

    def __init__(self, width, count, mlp_ratio):
        super().__init__()
        self.sa = SelfAttention(width, count)
        self.ca = CrossAttention(width, width, count)
        self.ffn = FeedForward(width, round(width * mlp_ratio / 256) * 256)
        self.ca_norm = nn.LayerNorm(width, eps=1e-6)
        self.ada_gss = nn.Parameter(torch.cat([torch.ones(1, 1, 2, width), torch.zeros(1, 1, 4, width)], 2))

    def forward(self, x, condition, text, seen, shape):
        """x [B, L, C] fp32, condition [B, 1, 6, C], text [B, T, C], seen [B, 1, 1, T]"""
        gamma1, gamma2, scale1, scale2, shift1, shift2 = (self.ada_gss + condition).unbind(2)
        x = x + self.sa(plain_norm(x) * (scale1 + 1) + shift1, shape) * gamma1
        x = x + self.ca(self.ca_norm(x), text, seen)
        return x + self.ffn(plain_norm(x) * (scale2 + 1) + shift2) * gamma2


class Chunk(nn.Module):
    """Gives the blocks their published names, `block_chunks.{chunk}.module.{index}`."""

    def __init__(self, blocks):
        super().__init__()
        self.module = nn.ModuleList(blocks)


class Pool(nn.Module):
    """One vector of the whole text; 128 text channels a head."""

    def __init__(self, text_width, width):
        super().__init__()
        self.ca = CrossAttention(width, text_width, text_width // 128, pool=True)

    def forward(self, text, seen):
        return self.ca(None, text, seen)[:, 0]


class HeadNorm(nn.Module):
    """Layer norm modulated by the pooled text, before the head."""

    def __init__(self, width):
        super().__init__()
        self.ada_lin = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x, condition):
        scale, shift = self.ada_lin(condition).unflatten(-1, (1, 2, -1)).unbind(2)
        return plain_norm(x) * (scale + 1) + shift


class Infinity(nn.Module):
    """Text features and the tokens of earlier scales -> logits of every bit."""

    def __init__(
        self,
        depth=8,
        embed_dim=192,
        num_heads=4,
        mlp_ratio=4,
        text_channels=256,
        text_maxlen=512,
        block_chunks=4,
        codebook_dim=16,
    ):
        super().__init__()
        self.config = dict(
            depth=depth,
            embed_dim=embed_dim,
            num_heads=num_heads,
            mlp_ratio=mlp_ratio,
            text_channels=text_channels,
            text_maxlen=text_maxlen,
            block_chunks=block_chunks,
            codebook_dim=codebook_dim,
        )
        C = embed_dim
        self.cfg_uncond = nn.Parameter(torch.randn(text_maxlen, text_channels) / text_channels**0.5)
        self.text_norm = RMSNorm(text_channels)
        self.text_proj_for_sos = Pool(text_channels, C)
        self.text_proj_for_ca = nn.Sequential(nn.Linear(text_channels, C), nn.GELU(approximate="tanh"), nn.Linear(C, C))
        self.pos_start = nn.Parameter(torch.zeros(1, 1, C))
        self.lvl_embed = nn.Embedding(15, C)
        self.word_embed = nn.Linear(codebook_dim, C)
        self.shared_ada_lin = nn.Sequential(nn.SiLU(), nn.Linear(C, 6 * C))
        blocks = [Block(C, num_heads, mlp_ratio) for _ in range(depth)]
        each = depth // block_chunks
        self.block_chunks = nn.ModuleList(Chunk(blocks[i : i + each]) for i in range(0, depth, each))
        self.head_nm, self.head = HeadNorm(C), nn.Linear(C, 2 * codebook_dim)
        self.reset(depth)

    def reset(self, depth):
        """Small normal weights, smaller where they add to the residual stream; modulation starts near none."""
        for name, p in self.named_parameters():
            if name.endswith("weight") and p.ndim == 2:
                nn.init.normal_(p, std=p.shape[1] ** -0.5)
                if name.startswith("block") and name.endswith(("sa.proj.weight", "ca.proj.weight", "fc2.weight")):
                    p.data.mul_((3 * depth) ** -0.5)
                if "ada_lin" in name:
                    p.data.mul_(0.1)
            elif name.endswith("bias") and "norm" not in name:
                nn.init.zeros_(p)
        nn.init.normal_(self.word_embed.weight, std=0.5)
        nn.init.normal_(self.lvl_embed.weight, std=0.1)
        self.head.weight.data.mul_(0.1)

    @property
    def blocks(self):
        return [b for c in self.block_chunks for b in c.module]

    def read(self, text, seen, drop):
        """Text as the blocks want it: (keys and values [B, T, C], pooled [B, C], condition [B, 1, 6, C])."""
        text = text.float()
        if drop is not None:
            text = torch.where(drop[:, None, None], self.cfg_uncond[: text.shape[1]], text)
        text = self.text_norm(text)
        pooled = self.text_proj_for_sos(text, seen)
        return self.text_proj_for_ca(text), pooled, self.shared_ada_lin(pooled).unflatten(-1, (1, 6, -1))

    def forward(self, text, lengths, tokens, sides, drop=None):
        """Teacher-forced logits.

        text [B, T, Ct5] encoder output, lengths [B], tokens [B, L - 1, d] inputs of the scales after the first,
        drop [B] True where the caption is replaced by the learned unconditional one -> logits [B, L, d, 2] fp32
        """
        seen = (torch.arange(text.shape[1], device=text.device) < lengths[:, None])[:, None, None]
        shape = layout(tuple(sides), self.config["embed_dim"] // self.config["num_heads"], text.device)
        with torch.autocast(text.device.type, dtype=torch.bfloat16, enabled=False):
            text, pooled, condition = self.read(text, seen, drop)
            x = torch.cat([pooled[:, None] + self.pos_start, self.word_embed(tokens)], 1) + self.lvl_embed(shape[2])
        for block in self.blocks:
            x = block(x, condition, text, seen, shape)
        with torch.autocast(text.device.type, dtype=torch.bfloat16, enabled=False):
            return self.head(self.head_nm(x.float(), pooled)).unflatten(-1, (-1, 2))
