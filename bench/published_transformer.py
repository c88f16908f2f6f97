"""The published code of ScaleKV on the checkpoint and inputs of pytorch_transformer.py, for bench/against-published.ts.

Draws all scales with forced bits and guidance, prints one JSON line and keeps the last scale's guided logits.

    python3 bench/published_transformer.py CLONE DIR full
    python3 bench/published_transformer.py CLONE DIR scalekv PERCENT

CLONE is a checkout of github.com/StargazerX0/ScaleKV; DIR is what `pytorch_transformer.py make` wrote.
"""
import importlib.util
import json
import os
import resource
import sys
import time

import torch

from pytorch_transformer import BITS, GUIDANCE, SIDES, THREADS

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "training"))
from published import networks, stand_ins  # noqa: E402

WINDOW, KERNEL = 16, 5
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


def run(clone, folder, mode, percent="10"):
    torch.set_num_threads(THREADS)
    stand_ins.install(clone)
    state = torch.load(f"{folder}/infinity.pth")
    inputs = torch.load(f"{folder}/inputs.pth")
    sides = SIDES[: len(inputs) - 1]
    config = config_of(state, len(sides))
    vae = networks.build_vae(VAE, STRIDE)
    net = networks.build_transformer(vae, config)
    named = {chunked(name, config["depth"]): tensor for name, tensor in state.items()}
    torch.nn.Module.load_state_dict(net, named, strict=True)
    if mode == "scalekv":
        compress(net, clone, config["depth"], sides, float(percent))
    bits = [inputs[f"bits.{k}"].long().unsqueeze(1) for k in range(len(sides))]
    begun = time.time()
    logits, _ = networks.infer(net, vae, [inputs["text"]], [(1, s, s) for s in sides], GUIDANCE, forced=bits)
    seconds = time.time() - begun
    last = logits[-1]
    guided = GUIDANCE * last[0] + (1 - GUIDANCE) * last[1] if len(last) == 2 else last[0]
    guided.float().contiguous().numpy().tofile(f"{folder}/published-logits.bin")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"engine": f"published {mode}", "seconds": round(seconds, 3), "peakBytes": peak}))


run(*sys.argv[1:])
