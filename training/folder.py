"""Model folders: config.json, infinity.safetensors, vae.safetensors and t5/, with the published tensor names.

A file over SHARD becomes a folder of the same stem with shards and model.safetensors.index.json.
"""

import json
import os
import struct

import numpy as np
import torch

from text_to_bits import TextToBits
from vae import AutoEncoder

SHARD = 48 * 2**20  # bytes of a file at most
NAMES = {torch.float16: "F16", torch.float32: "F32", torch.int64: "I64"}
TYPES = {"F16": np.float16, "F32": np.float32, "I64": np.int64}
TEXT_SIZES = ("vocab_size", "d_model", "d_kv", "num_heads", "d_ff", "num_layers")
IMAGE_SIZES = ("depth", "embed_dim", "num_heads", "mlp_ratio", "text_channels", "text_maxlen", "block_chunks")


def save_safetensors(path, tensors):
    """Writes one file; https://huggingface.co/docs/safetensors describes the format."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, t in tensors.items():
        size = t.numel() * t.element_size()
        header[name] = {"dtype": NAMES[t.dtype], "shape": list(t.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            file.write(t.contiguous().numpy().tobytes())


def load_safetensors(path):
    """Reads one file: {name: tensor}."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    array = lambda v: np.frombuffer(data[slice(*v["data_offsets"])], TYPES[v["dtype"]]).reshape(v["shape"])
    return {name: torch.from_numpy(array(v).copy()) for name, v in header.items()}


def shards_of(tensors, limit):
    """Splits tensors, in their order, into dictionaries that fit into so many bytes each."""
    shards, room = [{}], limit - 2**18  # the header's share
    for name, t in tensors.items():
        if room < t.numel() * t.element_size() and shards[-1]:
            shards.append({})
            room = limit - 2**18
        shards[-1][name] = t
        room -= t.numel() * t.element_size()
    return shards


def save_weights(stem, tensors, limit=SHARD):
    """Writes STEM.safetensors, or shards in the folder STEM."""
    shards = shards_of(tensors, limit)
    if len(shards) == 1:
        return save_safetensors(stem + ".safetensors", tensors)
    os.makedirs(stem, exist_ok=True)
    weight_map = {}
    for i, shard in enumerate(shards):
        file = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        save_safetensors(os.path.join(stem, file), shard)
        weight_map.update({name: file for name in shard})
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    write_json(
        os.path.join(stem, "model.safetensors.index.json"),
        {"metadata": {"total_size": total}, "weight_map": weight_map},
    )


def load_weights(stem):
    """Reads back what save_weights wrote."""
    if os.path.exists(stem + ".safetensors"):
        return load_safetensors(stem + ".safetensors")
    files = sorted(set(read_json(os.path.join(stem, "model.safetensors.index.json"))["weight_map"].values()))
    return {name: t for file in files for name, t in load_safetensors(os.path.join(stem, file)).items()}


def load_networks(path):
    """TextToBits with the weights of a model folder, or with the averaged ones of a checkpoint, in fp32."""
    if not os.path.isdir(path):
        state = torch.load(path, map_location="cpu")
        net = TextToBits(**state["config"])
        net.load_state_dict(state["average"])
        return net
    config, text = read_json(os.path.join(path, "config.json")), read_json(os.path.join(path, "t5", "config.json"))
    image = {**{k: config[k] for k in IMAGE_SIZES}, "codebook_dim": config["vae"]["codebook_dim"]}
    net = TextToBits(text={k: text[k] for k in TEXT_SIZES}, image=image)
    net.image.load_state_dict(load_weights(os.path.join(path, "infinity")))
    net.text.load_state_dict(load_weights(os.path.join(path, "t5", "model")))
    return net


def load_vae(path, device="cpu"):
    """The autoencoder of a model folder, or the averaged one of a checkpoint, in fp32, frozen."""
    if os.path.isdir(path):
        config, weights = read_json(os.path.join(path, "config.json"))["vae"], load_weights(os.path.join(path, "vae"))
    else:
        state = torch.load(path, map_location="cpu")
        config, weights = state["config"], state["average"]
    vae = AutoEncoder(**config)
    vae.load_state_dict(weights)
    return vae.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
