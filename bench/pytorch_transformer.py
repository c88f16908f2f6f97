"""The Infinity transformer in plain PyTorch eager mode, as the opponent of bench/against-pytorch.ts.

It makes a seeded random checkpoint in the published layout, draws all scales with forced bits and guidance, and prints
one JSON line. Written for speed as far as eager mode goes: text keys and values are computed once, not at every scale.

    python3 bench/pytorch_transformer.py make DIR WIDTH DEPTH HEADS PN [half] [text=CHANNELS]   writes infinity.pth and inputs.pth
    python3 bench/pytorch_transformer.py run DIR                         draws once, prints seconds and keeps the logits

One layer by itself, for bench/layer-against-pytorch.ts:

    python3 bench/pytorch_transformer.py make-layer DIR WIDTH HEADS NEW CACHED   writes infinity.pth and layer.pth
    python3 bench/pytorch_transformer.py run-layer DIR                           runs it, prints seconds and keeps the state
"""
import json
import math
import resource
import sys
import time

import torch
import torch.nn.functional as F

BITS, TEXT_CHANNELS, TEXT_TOKENS, GUIDANCE, THREADS = 16, 2048, 24, 3.0, 2
ROWS, LAYER_TEXT, LAYER_RUNS = 2, 64, 3
SIDES = [1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64]
SCALES = {"0.06M": 7, "0.25M": 10, "0.60M": 12, "1M": 13}


def make(folder, width, depth, heads, pn, dtype=torch.float32, text_channels=TEXT_CHANNELS):
    """Random weights of a scale that keeps the hidden state near 1 through all layers; made on a GPU where there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    g = torch.Generator(device).manual_seed(0)

    def linear(rows, columns):
        return torch.randn(rows, columns, generator=g, device=device) / columns**0.5

    def vector(*shape):
        return 0.1 * torch.randn(*shape, generator=g, device=device)

    C, T = width, text_channels
    state = {
        "cfg_uncond": vector(512, T), "pos_start": vector(1, 1, C), "text_norm.weight": 1 + vector(T),
        "text_proj_for_sos.ca.mat_q": vector(1, T // 128, C // (T // 128)), "text_proj_for_sos.ca.v_bias": vector(C),
        "text_proj_for_sos.ca.zero_k_bias": torch.zeros(C), "text_proj_for_sos.ca.mat_kv.weight": linear(2 * C, T),
        "text_proj_for_sos.ca.proj.weight": linear(C, C), "text_proj_for_sos.ca.proj.bias": vector(C),
        "text_proj_for_ca.0.weight": linear(C, T), "text_proj_for_ca.0.bias": vector(C),
        "text_proj_for_ca.2.weight": linear(C, C), "text_proj_for_ca.2.bias": vector(C),
        "lvl_embed.weight": vector(15, C), "word_embed.weight": linear(C, BITS), "word_embed.bias": vector(C),
        "shared_ada_lin.1.weight": linear(6 * C, C), "shared_ada_lin.1.bias": vector(6 * C),
        "head_nm.ada_lin.1.weight": linear(2 * C, C), "head_nm.ada_lin.1.bias": vector(2 * C),
        "head.weight": linear(2 * BITS, C), "head.bias": vector(2 * BITS),
    }
    for layer in range(depth):
        p = f"blocks.{layer}."
        state.update({
            p + "ada_gss": vector(1, 1, 6, C), p + "sa.scale_mul_1H11": 1 + vector(1, heads, 1, 1),
            p + "sa.q_bias": vector(C), p + "sa.v_bias": vector(C), p + "sa.zero_k_bias": torch.zeros(C),
            p + "sa.mat_qkv.weight": linear(3 * C, C), p + "sa.proj.weight": linear(C, C), p + "sa.proj.bias": vector(C),
            p + "ca.v_bias": vector(C), p + "ca.zero_k_bias": torch.zeros(C),
            p + "ca.mat_q.weight": linear(C, C), p + "ca.mat_q.bias": vector(C), p + "ca.mat_kv.weight": linear(2 * C, C),
            p + "ca.proj.weight": linear(C, C), p + "ca.proj.bias": vector(C),
            p + "ffn.fc1.weight": linear(4 * C, C), p + "ffn.fc1.bias": vector(4 * C),
            p + "ffn.fc2.weight": linear(C, 4 * C), p + "ffn.fc2.bias": vector(C),
            p + "ca_norm.weight": 1 + vector(C), p + "ca_norm.bias": vector(C),
        })
    torch.save({name: tensor.to("cpu", dtype) for name, tensor in state.items()}, f"{folder}/infinity.pth")
    sides = SIDES[: SCALES[pn]]
    g = torch.Generator().manual_seed(0)
    inputs = {f"bits.{k}": torch.randint(0, 2, (1, s, s, BITS), generator=g).to(torch.uint8) for k, s in enumerate(sides)}
    inputs["text"] = torch.randn(TEXT_TOKENS, text_channels, generator=g) * 0.3
    torch.save(inputs, f"{folder}/inputs.pth")


class Transformer:
    def __init__(self, state):
        self.w = state
        self.C = state["pos_start"].shape[-1]
        self.depth = sum(name.endswith("ada_gss") for name in state)
        self.H = state["blocks.0.sa.scale_mul_1H11"].shape[1]
        self.D = self.C // self.H

    def lin(self, x, name, bias=True):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"] if bias else None)

    def kv(self, text, prefix, heads):
        bias = torch.cat((self.w[prefix + "zero_k_bias"], self.w[prefix + "v_bias"]))
        kv = F.linear(text, self.w[prefix + "mat_kv.weight"], bias)
        return [t.view(text.shape[0], heads, -1).transpose(0, 1) for t in kv.chunk(2, -1)]

    def condition(self, texts):
        """texts: one [tokens, channels] a row. Everything the layers need of the text, and the first token."""
        self.text, pooled = [], []
        for text in texts:
            text = text * torch.rsqrt(text.pow(2).mean(-1, keepdim=True) + 1e-6) * self.w["text_norm.weight"]
            q = self.w["text_proj_for_sos.ca.mat_q"].transpose(0, 1)
            k, v = self.kv(text, "text_proj_for_sos.ca.", q.shape[0])
            read = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1) @ v
            pooled.append(self.lin(read.reshape(1, self.C), "text_proj_for_sos.ca.proj"))
            hidden = F.gelu(self.lin(text, "text_proj_for_ca.0"), approximate="tanh")
            self.text.append(self.lin(hidden, "text_proj_for_ca.2"))
        cond = torch.stack(pooled)
        active = F.silu(cond)
        self.modulation = self.lin(active, "shared_ada_lin.1").view(-1, 1, 6, self.C)
        self.head_modulation = self.lin(active, "head_nm.ada_lin.1").view(-1, 1, 2, self.C)
        stack = [[self.kv(t, f"blocks.{l}.ca.", self.H) for t in self.text] for l in range(self.depth)]
        self.text_k = [torch.stack([k for k, _ in rows]).transpose(-1, -2) for rows in stack]
        self.text_v = [torch.stack([v for _, v in rows]) for rows in stack]
        return cond + self.w["pos_start"]

    def rotary(self, side, grid):
        half = self.D // 2
        freq = 1.0 / 10000 ** (torch.arange(0, half, 2).float() / half)
        at = (torch.arange(side) * (grid / side)).round()
        angle = torch.outer(at, freq)
        angles = torch.cat((angle[:, None].expand(side, side, -1), angle[None].expand(side, side, -1)), -1)
        return angles.reshape(-1, half).cos(), angles.reshape(-1, half).sin()

    def turn(self, x, cos, sin):
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack((cos * a - sin * b, sin * a + cos * b), -1).flatten(-2)

    def block(self, x, layer, cos, sin, cache):
        p = f"blocks.{layer}."
        w, R, L = self.w, x.shape[0], x.shape[1]
        gamma1, gamma2, scale1, scale2, shift1, shift2 = (w[p + "ada_gss"] + self.modulation).unbind(2)
        h = F.layer_norm(x, (self.C,), eps=1e-6) * (1 + scale1) + shift1
        bias = torch.cat((w[p + "sa.q_bias"], w[p + "sa.zero_k_bias"], w[p + "sa.v_bias"]))
        q, k, v = F.linear(h, w[p + "sa.mat_qkv.weight"], bias).view(R, L, 3, self.H, self.D).permute(2, 0, 3, 1, 4).unbind(0)
        q = F.normalize(q, dim=-1) * w[p + "sa.scale_mul_1H11"].clamp_max(math.log(100)).exp()
        q, k = self.turn(q, cos, sin), self.turn(F.normalize(k, dim=-1), cos, sin)
        if layer in cache:
            k, v = torch.cat((cache[layer][0], k), 2), torch.cat((cache[layer][1], v), 2)
        cache[layer] = (k, v)
        read = torch.softmax(q @ k.transpose(-1, -2), -1) @ v
        x = x + self.lin(read.transpose(1, 2).reshape(R, L, self.C), p + "sa.proj") * gamma1
        h = F.layer_norm(x, (self.C,), w[p + "ca_norm.weight"], w[p + "ca_norm.bias"], 1e-6)
        q = self.lin(h, p + "ca.mat_q").view(R, L, self.H, self.D).transpose(1, 2)
        read = torch.softmax(q @ self.text_k[layer] / self.D**0.5, -1) @ self.text_v[layer]
        x = x + self.lin(read.transpose(1, 2).reshape(R, L, self.C), p + "ca.proj")
        h = F.layer_norm(x, (self.C,), eps=1e-6) * (1 + scale2) + shift2
        return x + self.lin(F.gelu(self.lin(h, p + "ffn.fc1"), approximate="tanh"), p + "ffn.fc2") * gamma2

    def logits(self, x):
        scale, shift = self.head_modulation.unbind(2)
        return self.lin(F.layer_norm(x, (self.C,), eps=1e-6) * (1 + scale) + shift, "head")


def draw(net, inputs, scales):
    """Draws the first `scales` scales; returns the last one's guided logits [tokens, 2 · bits]."""
    text = inputs["text"]
    x = net.condition([text, net.w["cfg_uncond"][: len(text)]])
    sides = SIDES[:scales]
    summed = torch.zeros(1, BITS, sides[-1], sides[-1])
    cache = {}
    for k, side in enumerate(sides):
        if k:
            codes = F.interpolate(summed, (side, side), mode="bilinear").flatten(2).transpose(1, 2)
            x = net.lin(codes, "word_embed").repeat(2, 1, 1)
        x = x + net.w["lvl_embed.weight"][k]
        cos, sin = net.rotary(side, SIDES[-1])
        for layer in range(net.depth):
            x = net.block(x, layer, cos, sin, cache)
        conditional, unconditional = net.logits(x)
        guided = GUIDANCE * conditional + (1 - GUIDANCE) * unconditional
        codes = (inputs[f"bits.{k}"].float() * 2 - 1).permute(0, 3, 1, 2) / BITS**0.5
        summed = summed + F.interpolate(codes, (sides[-1], sides[-1]), mode="bilinear")
    return guided


@torch.no_grad()
def run(folder):
    torch.set_num_threads(THREADS)
    net = Transformer(torch.load(f"{folder}/infinity.pth"))
    inputs = torch.load(f"{folder}/inputs.pth")
    scales = len(inputs) - 1
    draw(net, inputs, min(scales, 5))  # warm
    begun = time.time()
    logits = draw(net, inputs, scales)
    seconds = time.time() - begun
    logits.numpy().tofile(f"{folder}/pytorch-logits.bin")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"engine": f"pytorch {torch.__version__}", "seconds": round(seconds, 3), "peakBytes": peak}))


def make_layer(folder, width, heads, new, cached):
    """A model of one layer, and what its layer is given: cached keys of length 1, values and states about 1."""
    make(folder, width, 1, heads, "0.06M")
    g = torch.Generator().manual_seed(1)
    dim = width // heads
    angles = torch.rand(new, dim // 2, generator=g) * 6
    torch.save({
        "x": torch.randn(ROWS, new, width, generator=g), "modulation": 0.1 * torch.randn(ROWS, 6, width, generator=g),
        "cos": angles.cos(), "sin": angles.sin(),
        "past_k": F.normalize(torch.randn(cached, ROWS, heads, dim, generator=g), dim=-1).view(cached, ROWS, width),
        "past_v": torch.randn(cached, ROWS, width, generator=g),
        "text_k": torch.randn(ROWS, LAYER_TEXT, width, generator=g),
        "text_v": torch.randn(ROWS, LAYER_TEXT, width, generator=g),
    }, f"{folder}/layer.pth")


@torch.no_grad()
def run_layer(folder):
    """The best of a few runs; the cache is the same before each."""
    torch.set_num_threads(THREADS)
    net = Transformer(torch.load(f"{folder}/infinity.pth"))
    given = torch.load(f"{folder}/layer.pth")
    by_head = {name: given[name].view(ROWS, -1, net.H, net.D).transpose(1, 2) for name in ("text_k", "text_v")}
    net.modulation = given["modulation"].unsqueeze(1)
    net.text_k, net.text_v = [by_head["text_k"].transpose(-1, -2).contiguous()], [by_head["text_v"].contiguous()]
    past = [given[name].view(-1, ROWS, net.H, net.D).permute(1, 2, 0, 3) for name in ("past_k", "past_v")]
    past = [tensor.contiguous() for tensor in past]
    best = math.inf
    for _ in range(LAYER_RUNS):
        begun = time.time()
        y = net.block(given["x"], 0, given["cos"], given["sin"], {0: past})
        best = min(best, time.time() - begun)
    y.contiguous().numpy().tofile(f"{folder}/pytorch-state.bin")
    print(json.dumps({"engine": f"pytorch {torch.__version__}", "seconds": round(best, 4)}))


if __name__ == "__main__":
    command, folder, *sizes = sys.argv[1:]
    if command == "make":
        dtype = torch.float16 if "half" in sizes else torch.float32
        text = [int(size.removeprefix("text=")) for size in sizes if size.startswith("text=")]
        make(folder, *(int(size) for size in sizes[:3]), sizes[3], dtype, *text)
    elif command == "make-layer":
        make_layer(folder, *(int(size) for size in sizes))
    elif command == "run-layer":
        run_layer(folder)
    else:
        run(folder)
