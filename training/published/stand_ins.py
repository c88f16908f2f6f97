"""Lets the published PyTorch code run on a CPU with torch 1.13.

Third-party modules that it imports and that a check does not need are stood in for (flash-attn, einops, timm, ...); the
networks that run are its own. `install(folder)` comes before anything is imported from that folder.
"""

import math
import sys
import types
import warnings

import torch
import torch.nn.functional as F


def module(name, **attributes):
    """Registers a module of that name, and its parents."""
    made = types.ModuleType(name)
    made.__dict__.update(attributes)
    sys.modules[name] = made
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent] if parent in sys.modules else module(parent), child, made)
    return made


SCORES_AT_ONCE = 60_000_000


def attention(query, key, value, scale=None, attn_mask=None, **_):
    """torch 2's scaled_dot_product_attention, some queries at a time, as its own kernels hold few scores at once."""
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    step = max(1, SCORES_AT_ONCE // (query.shape[0] * query.shape[1] * key.shape[-2]))
    read = []
    for first in range(0, query.shape[-2], step):
        scores = (query[..., first : first + step, :].float() @ key.float().transpose(-1, -2)) * scale
        if attn_mask is not None:
            scores = scores + attn_mask[..., first : first + step, :]
        read.append((torch.softmax(scores, -1) @ value.float()).to(value.dtype))
    return torch.cat(read, -2)


def packed_attention(q, kv, cu_seqlens_q, cu_seqlens_k, softmax_scale=None, **_):
    """flash-attn's attention over rows of unequal length, q [sum of n, H, c], kv [sum of m, 2, H, c]."""
    out = []
    for row in range(len(cu_seqlens_q) - 1):
        queries = q[cu_seqlens_q[row] : cu_seqlens_q[row + 1]].float()
        keys, values = kv[cu_seqlens_k[row] : cu_seqlens_k[row + 1]].float().unbind(1)
        scores = torch.einsum("qhd,khd->hqk", queries, keys) * softmax_scale
        out.append(torch.einsum("hqk,khd->qhd", torch.softmax(scores, -1), values))
    return torch.cat(out)


def packed(
    q, kv, cu_seqlens_q, cu_seqlens_k, max_seqlen_q=None, max_seqlen_k=None, dropout_p=0.0, softmax_scale=None, **_
):
    """With flash-attn's order of arguments."""
    return packed_attention(q, kv, cu_seqlens_q, cu_seqlens_k, softmax_scale)


class DropPath(torch.nn.Module):
    """timm's, which does nothing outside training."""

    def __init__(self, _=0.0):
        super().__init__()

    def forward(self, x):
        return x


REARRANGEMENTS = {
    "... -> ... 1": lambda x, **_: x.unsqueeze(-1),
    "... 1 d -> ... d": lambda x, **_: x.squeeze(-2),
    "... c d -> ... (c d)": lambda x, **_: x.flatten(-2),
    "b n (c d) -> b n c d": lambda x, c, **_: x.unflatten(-1, (c, -1)),
    "b n c d -> b n (c d)": lambda x, **_: x.flatten(-2),
    "b d ... -> b ... d": lambda x, **_: x.movedim(1, -1),
    "b ... d -> b d ...": lambda x, **_: x.movedim(-1, 1),
    "B C T H W -> (B T) C H W": lambda x, **_: x.transpose(1, 2).flatten(0, 1),
    "(B T) C H W -> B C T H W": lambda x, T, **_: x.unflatten(0, (-1, T)).transpose(1, 2),
}


def rearrange(x, pattern, **sizes):
    """einops.rearrange for the patterns that occur."""
    return REARRANGEMENTS[" ".join(pattern.replace("->", " -> ").split())](x, **sizes)


def pack(tensors, _):
    """einops.pack of one tensor, 'b * d'."""
    (x,) = tensors
    return x.reshape(x.shape[0], -1, x.shape[-1]), [x.shape[1:-1]]


def unpack(x, shapes, pattern):
    """einops.unpack, 'b * d' and 'b * c d'."""
    kept = 2 if pattern == "b * c d" else 1
    return [x.reshape(x.shape[0], *shapes[0], *x.shape[-kept:])]


def patch_torch():
    """What torch 1.13 lacks or takes otherwise."""
    F.scaled_dot_product_attention = attention
    if not hasattr(torch, "compile"):
        torch.compile = lambda *_, **__: lambda function: function
    if not hasattr(torch, "_dynamo"):
        torch._dynamo = types.SimpleNamespace(config=types.SimpleNamespace(cache_size_limit=0))
    truncated = torch.nn.init.trunc_normal_
    torch.nn.init.trunc_normal_ = lambda t, mean=0.0, std=1.0, a=-2.0, b=2.0, **_: truncated(
        t, mean=mean, std=std, a=a, b=b
    )
    torch.Tensor.int = lambda self: self.long()  # 1.13 indexes with 64 bits only


def install(folder):
    """Makes the published code in `folder` importable."""
    warnings.filterwarnings("ignore")
    sys.path.insert(0, folder)
    patch_torch()
    module("flash_attn", flash_attn_func=packed, flash_attn_varlen_kvpacked_func=packed)
    module("timm")
    module("timm.loss", SoftTargetCrossEntropy=torch.nn.CrossEntropyLoss)
    module("timm.models", register_model=lambda function: function)
    module("timm.models.layers", DropPath=DropPath, drop_path=lambda x, *_, **__: x)
    module("imageio")
    module("safetensors")
    module("safetensors.torch", load_file=None)
    module("einops", rearrange=rearrange, pack=pack, unpack=unpack, reduce=None)
