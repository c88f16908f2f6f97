"""Builds the published autoencoder and transformer at any size, and runs them. Needs `stand_ins.install` first."""

import contextlib
import io

import torch


class Fp32Torch:
    """Stands in for `torch` in the published attention code, which rounds cross-attention to bf16 for a GPU kernel."""

    bfloat16 = torch.float32

    def __getattr__(self, name):
        return getattr(torch, name)


def build_vae(config, stride):
    """The autoencoder; its base width is fixed in the published code, so it is set on the way."""
    from infinity.models.bsq_vae import vae

    published = vae.AutoEncoder

    class AnyWidth(published):
        def __init__(self, args):
            args.base_ch = config["base_ch"]
            super().__init__(args)

    vae.AutoEncoder = AnyWidth
    bits, mult = config["codebook_dim"], list(config["ch_mult"])
    try:
        made = vae.vae_model(
            {}, "dynamic", bits, 2**bits, patch_size=stride, encoder_ch_mult=mult, decoder_ch_mult=mult, test_mode=True
        )
    finally:
        vae.AutoEncoder = published
    return made.eval()


def build_transformer(vae, config):
    """The transformer with the sizes of a config.json; its own prints are kept quiet."""
    from infinity.models import basic
    from infinity.models.infinity import Infinity

    basic.torch = Fp32Torch()
    sizes = {
        k: config[k]
        for k in (
            "depth",
            "embed_dim",
            "num_heads",
            "mlp_ratio",
            "text_channels",
            "text_maxlen",
            "block_chunks",
            "pn",
            "norm_eps",
            "use_bit_label",
            "rope2d_each_sa_layer",
            "rope2d_normalized_by_hw",
            "add_lvl_embeding_only_first_block",
            "apply_spatial_patchify",
            "shared_aln",
        )
    }
    with contextlib.redirect_stdout(io.StringIO()):
        net = Infinity(
            vae_local=vae,
            raw_scale_schedule=(1,),
            checkpointing="full-block",
            customized_flash_attn=False,
            fused_norm=True,
            pad_to_multiplier=128,
            use_flex_attn=False,
            inference_mode=True,
            train_h_div_w_list=[1.0],
            drop_path_rate=0.0,
            batch_size=2,
            **sizes
        )
    net.rng = torch.Generator(device="cpu")
    return net.eval().requires_grad_(False)


def packed_texts(features):
    """Texts as the published code takes them: rows joined, their lengths, where each starts, the longest."""
    lengths = [len(f) for f in features]
    starts = torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()], dtype=torch.int32)
    return torch.cat(features).clone(), lengths, starts, max(lengths)


@torch.no_grad()
def infer(net, vae, features, schedule, guidance, forced=None, seed=0):
    """Draws with the published sampling loop.

    features: list of [T, Ct5]; schedule: list of (1, h, w); forced: bits of every scale that replace the drawn ones.
    Returns (logits of every scale, uint8 images [B, H, W, 3], blue first, or None with forced bits).
    """
    logits, own = [], net.get_logits

    def listen(hidden, condition):
        out = own(hidden, condition)
        logits.append(out.clone())
        return out

    net.get_logits = listen
    count = len(schedule)
    try:
        _, _, images = net.autoregressive_infer_cfg(
            vae=vae,
            scale_schedule=schedule,
            label_B_or_BLT=packed_texts(features),
            g_seed=seed,
            B=len(features),
            negative_label_B_or_BLT=None,
            force_gt_Bhw=None,
            cfg_sc=3,
            cfg_list=[guidance] * count,
            tau_list=[1.0] * count,
            top_k=1 if forced else 0,
            top_p=0.0,
            returns_vemb=1,
            ratio_Bl1=None,
            gumbel=0,
            norm_cfg=False,
            cfg_exp_k=0.0,
            cfg_insertion_layer=[0],
            vae_type=vae.codebook_dim,
            softmax_merge_topk=-1,
            ret_img=not forced,
            trunk_scale=1000,
            gt_leak=count if forced else 0,
            gt_ls_Bl=forced,
            inference_mode=True,
            sampling_per_bits=1,
        )
    finally:
        net.get_logits = own
    return logits, images
