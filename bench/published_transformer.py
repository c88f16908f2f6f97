"""The published code of ScaleKV on the checkpoint and inputs of pytorch_transformer.py, for bench/against-published.ts and
bench/webgpu.ts.

Draws all scales with forced bits and guidance, prints one JSON line and keeps the last scale's guided logits.

    python3 bench/published_transformer.py CLONE DIR full
    python3 bench/published_transformer.py CLONE DIR scalekv PERCENT
    python3 bench/published_transformer.py CLONE DIR full|scalekv PERCENT cuda bf16|fp32 [RUNS [SECONDS]]

CLONE is a checkout of github.com/StargazerX0/ScaleKV; DIR is what `pytorch_transformer.py make` wrote.

On a GPU (`cuda`; where there is none the same on the processor) it runs as published: blocks in bfloat16 under autocast,
self-attention by PyTorch's own fused kernel; in float32 everything is float32. Two things differ. flash-attn, which only
the text's attention uses, is stood in for by the same fused kernel, row by row; and the norms are eager, not compiled. It
is timed RUNS times (default 1) after an untimed run; after SECONDS no other run is begun.
"""
import contextlib
import datetime
import importlib.util
import json
import os
import resource
import sys
import time

import torch
import torch.nn.functional as F

from pytorch_transformer import BITS, GUIDANCE, SIDES, THREADS

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "training"))
from published import networks, stand_ins  # noqa: E402

WINDOW, KERNEL = 16, 5
# Of the untimed draw before the timed ones on a processor, as ours has it: the smallest schedule that the published code knows.
WARM_SCALES = 7
PIXELS = {7: "0.06M", 10: "0.25M", 12: "0.60M", 13: "1M"}
VAE = {"codebook_dim": BITS, "base_ch": 32, "ch_mult": [1, 1, 2, 2, 2]}
STRIDE = 16
# The published loop over layers knows models in chunks only.
CHUNKS = 2


def config_of(state, scales):
    """A config.json for a checkpoint."""
    width = state["pos_start"].shape[-1]
    return {
        "depth": sum(name.endswith("ada_gss") for name in state), "embed_dim": width, "mlp_ratio": 4,
        "num_heads": state["blocks.0.sa.scale_mul_1H11"].shape[1], "text_channels": state["cfg_uncond"].shape[1],
        "text_maxlen": state["cfg_uncond"].shape[0], "block_chunks": CHUNKS, "pn": PIXELS[scales], "norm_eps": 1e-6,
        "use_bit_label": 1, "rope2d_each_sa_layer": 1, "rope2d_normalized_by_hw": 2, "shared_aln": True,
        "add_lvl_embeding_only_first_block": 1, "apply_spatial_patchify": 0,
    }  # fmt: skip


def chunked(name, depth):
    """The name a layer's tensor has in a model in chunks."""
    if not name.startswith("blocks."):
        return name
    _, layer, rest = name.split(".", 2)
    chunk, place = divmod(int(layer), depth // CHUNKS)
    return f"block_chunks.{chunk}.module.{place}.{rest}"


def cache_sizes(depth, sides, percent):
    """What layers keep after every scale, as the published tables have it: on average that share of the whole history;
    the drafter, here the first layer, half of all of it or as much as it has seen, the others the rest in equal parts."""
    history = sum(side * side for side in sides[:-1])
    average = max(2 * WINDOW, round(history * percent / 100))
    sizes, seen = [None] * 15, 0
    for scale, side in enumerate(sides):
        seen += side * side
        most = min(seen - 1, average * depth // 2) if seen > average else seen
        sizes[min(scale + 2, 14)] = [most] + [max(WINDOW, (average * depth - most) // (depth - 1))] * (depth - 1)
    return sizes, average


def compress(net, clone, depth, sides, percent):
    """Switches the published ScaleKV on, with a table for this depth instead of the one for 2B."""
    spec = importlib.util.spec_from_file_location("published_scale_kv", os.path.join(clone, "enable_scale_kv_2b.py"))
    published = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(published)
    sizes, average = cache_sizes(depth, sides, percent)
    published.get_cache_sizes = lambda: sizes
    published.enable_scale_kv(net, window_size=WINDOW, max_capacity=average, kernel_size=KERNEL, pooling="maxpool")


def fused_packed(
    q, kv, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k=None, dropout_p=0.0, softmax_scale=None, **_
):
    """flash-attn's attention over rows of equally many queries and some keys each, by PyTorch's fused kernel."""
    rows = []
    bounds = cu_seqlens_k.tolist()
    for row, (first, last) in enumerate(zip(bounds, bounds[1:])):
        queries = q[row * max_seqlen_q : (row + 1) * max_seqlen_q].transpose(0, 1)[None]
        keys, values = kv[first:last].permute(1, 2, 0, 3)[:, None]
        read = F.scaled_dot_product_attention(queries, keys, values, scale=softmax_scale)
        rows.append(read[0].transpose(0, 1))
    return torch.cat(rows)


def widened_layer_norm(own):
    """A norm in float32, as autocast makes it on a GPU but not on a processor."""

    def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
        scale, shift = (None if tensor is None else tensor.float() for tensor in (weight, bias))
        return own(input.float(), normalized_shape, scale, shift, eps)

    return layer_norm


def install_for_gpu(clone):
    """Stands in for what is not installed, and leaves PyTorch itself as it is, but for compiling."""
    own = F.scaled_dot_product_attention, torch.Tensor.int, torch.nn.init.trunc_normal_
    stand_ins.install(clone)
    F.scaled_dot_product_attention, torch.Tensor.int, torch.nn.init.trunc_normal_ = own
    torch.compile = lambda *_, **__: lambda function: function
    sys.modules["flash_attn"].flash_attn_varlen_kvpacked_func = fused_packed
    if not torch.cuda.is_available():
        F.layer_norm = widened_layer_norm(F.layer_norm)
    absent = {"pytz": {"timezone": lambda _: datetime.timezone.utc}, "tqdm": {}, "torchvision": {"transforms": None}}
    for name, attributes in absent.items():
        if importlib.util.find_spec(name) is None:
            stand_ins.module(name, **attributes)


@contextlib.contextmanager
def uninitialised():
    """Networks made here keep whatever lies in their memory: billions of random numbers would take a minute."""
    names = ["trunc_normal_", "normal_", "uniform_", "kaiming_uniform_"]
    own = {name: getattr(torch.nn.init, name) for name in names}
    for name in names:
        setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)
    yield
    for name in names:
        setattr(torch.nn.init, name, own[name])


def build(folder, device, dtype):
    """The published network, its autoencoder, what is given to it, and the maps' sides."""
    state = torch.load(f"{folder}/infinity.pth", **({"mmap": True} if device == "cuda" else {}))
    inputs = torch.load(f"{folder}/inputs.pth")
    sides = SIDES[: len(inputs) - 1]
    config = config_of(state, len(sides))
    vae = networks.build_vae(VAE, STRIDE).to(device)
    with uninitialised():
        net = networks.build_transformer(vae, config).to(device)
    if dtype == "bf16":
        from infinity.models import basic

        basic.torch = torch
        for block in net.unregistered_blocks:
            block.bfloat16()
    named = {chunked(name, config["depth"]): tensor for name, tensor in state.items()}
    torch.nn.Module.load_state_dict(net, named, strict=True)
    net.rng = torch.Generator(device=device)
    return net, vae, {name: tensor.to(device) for name, tensor in inputs.items()}, sides


def draw(net, vae, inputs, sides):
    """The last scale's guided logits."""
    for module in net.modules():
        # Of the published ScaleKV, which forgets it after the last scale of 1M only.
        if hasattr(module, "kv_cluster"):
            module.kv_cluster.has_reached_base = False
    bits = [inputs[f"bits.{k}"].long().unsqueeze(1) for k in range(len(sides))]
    logits, _ = networks.infer(net, vae, [inputs["text"]], [(1, s, s) for s in sides], GUIDANCE, forced=bits)
    last = logits[-1]
    return GUIDANCE * last[0] + (1 - GUIDANCE) * last[1] if len(last) == 2 else last[0]


def timed(draw_once, device, runs, seconds_at_most):
    """The result, and the seconds of every run."""
    synchronize = torch.cuda.synchronize if device == "cuda" else lambda: None
    seconds = []
    while len(seconds) < runs and (not seconds or sum(seconds) < seconds_at_most):
        begun = time.time()
        result = draw_once()
        synchronize()
        seconds.append(round(time.time() - begun, 3))
    return result, seconds


def run(clone, folder, mode, percent="10", device=None, dtype="fp32", runs="1", seconds_at_most="inf"):
    torch.set_num_threads(THREADS)
    on_gpu = device is not None
    (install_for_gpu if on_gpu else stand_ins.install)(clone)
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("cuda: PyTorch sees no such device here")
    device = device or "cpu"
    net, vae, inputs, sides = build(folder, device, dtype)
    if mode == "scalekv":
        compress(net, clone, len(net.unregistered_blocks), sides, float(percent))
    half = torch.autocast(device, torch.bfloat16) if dtype == "bf16" else contextlib.nullcontext()
    with half:
        draw(net, vae, inputs, sides if on_gpu else sides[:WARM_SCALES])
        guided, seconds = timed(lambda: draw(net, vae, inputs, sides), device, int(runs), float(seconds_at_most))
    guided.float().cpu().contiguous().numpy().tofile(f"{folder}/published-logits.bin")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if device == "cuda":
        peak = torch.cuda.max_memory_allocated()
    result = {"engine": f"published {mode}", "seconds": sorted(seconds)[len(seconds) // 2], "runs": seconds}
    print(json.dumps({**result, "peakBytes": peak}))


run(*sys.argv[1:])
