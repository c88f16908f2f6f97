"""Writes a model folder in the published checkpoint layout, fp16.

python export.py --ar build/ar/slim.pt --vae build/vae/slim.pt --tokenizer build/tokenizer --out ../models/NAME
With --bundle, PARTS/model.tar.00, .01, ... hold the folder in pieces of 15 MiB (cat them and untar).
"""

import argparse
import os
import shutil
import tarfile

import torch

import folder
import run

PIECE = 15 * 2**20  # bytes

# What the published code is told besides sizes.
SWITCHES = {
    "apply_spatial_patchify": 0,
    "use_bit_label": 1,
    "rope2d_normalized_by_hw": 2,
    "rope2d_each_sa_layer": 1,
    "add_lvl_embeding_only_first_block": 1,
    "cos_attn": True,
    "shared_aln": True,
    "norm_eps": 1e-6,
}
T5_CONFIG = {
    "architectures": ["T5EncoderModel"],
    "model_type": "t5",
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "feed_forward_proj": "gated-gelu",
    "is_gated_act": True,
    "dense_act_fn": "gelu_new",
    "layer_norm_epsilon": 1e-6,
    "dropout_rate": 0.0,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
    "is_encoder_decoder": True,
    "use_cache": False,
}


def half(state, prefix=""):
    """fp16 copies of the tensors under a prefix; refuses what fp16 cannot hold."""
    out = {k[len(prefix) :]: v.half().contiguous().clone() for k, v in state.items() if k.startswith(prefix)}
    for name, t in out.items():
        if not torch.isfinite(t).all():
            raise SystemExit(f"{name}: a value is over 65,504, the largest of fp16")
    return out


def write(ar, vae, tokenizer, out):
    """Writes the folder from the transformer's checkpoint, the autoencoder and the tokenizer's folder."""
    t5 = os.path.join(out, "t5")
    os.makedirs(t5, exist_ok=True)
    folder.save_weights(os.path.join(out, "infinity"), half(ar["average"], "image."))
    folder.save_weights(os.path.join(out, "vae"), half(vae.state_dict()))
    folder.save_weights(os.path.join(t5, "model"), half(ar["average"], "text."))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(os.path.join(tokenizer, name), t5)
    notices = os.path.join(os.path.dirname(os.path.abspath(__file__)), "notices")
    for name in os.listdir(notices):
        shutil.copy(os.path.join(notices, name), out)
    sizes = {k: v for k, v in ar["config"]["image"].items() if k != "codebook_dim"}
    folder.write_json(
        os.path.join(out, "config.json"), {**SWITCHES, **sizes, "pn": ar["pn"], "stride": vae.stride, "vae": vae.config}
    )
    folder.write_json(os.path.join(t5, "config.json"), {**T5_CONFIG, **ar["config"]["text"]})


def read_transformer(path):
    """{"average": weights, "config", "pn"} of a checkpoint of train.py, or of a model folder."""
    if not os.path.isdir(path):
        return run.load(path)
    net = folder.load_networks(path)
    pn = folder.read_json(os.path.join(path, "config.json"))["pn"]
    return {"average": net.state_dict(), "config": net.config, "pn": pn}


def bundle(out, parts):
    """Packs a folder into PARTS/model.tar.00, .01, ..."""
    os.makedirs(parts, exist_ok=True)
    tar = os.path.join(parts, "model.tar")
    with tarfile.open(tar, "w") as archive:
        archive.add(out, arcname=os.path.basename(os.path.normpath(out)))
    with open(tar, "rb") as file:
        for i, piece in enumerate(iter(lambda: file.read(PIECE), b"")):
            with open(f"{tar}.{i:02}", "wb") as part:
                part.write(piece)
    os.remove(tar)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--ar", required=True, help="checkpoint of train.py, or a model folder")
    add("--vae", required=True, help="checkpoint of train_vae.py, or a model folder")
    add("--tokenizer", required=True, help="folder with tokenizer.json")
    add("--out", required=True, help="model folder")
    add("--bundle", help="folder for the pieces")
    args = parser.parse_args()
    write(read_transformer(args.ar), folder.load_vae(args.vae), args.tokenizer, args.out)
    for root, _, names in os.walk(args.out):
        for path in sorted(os.path.join(root, name) for name in names):
            print(f"{os.path.getsize(path) / 1024:10.0f} KiB  {os.path.relpath(path, args.out)}")
    if args.bundle:
        bundle(args.out, args.bundle)


if __name__ == "__main__":
    main()
