"""What published programs measure of small pictures with networks of real size and random weights.

    python3 test/reference/networks.py > test/golden/score.json

Recorded with torchmetrics 1.9.0 (PSNR, SSIM, LPIPS), pytorch-fid 0.3.0 (the Inception network), clean-fid 0.1.35 (resizing,
FID, KID), PyTorch 1.13.1, torchvision 0.14.1, SciPy 1.10.1 and Pillow 9.4.0. The pictures are made by whole-number
arithmetic and the weights by random_weights.py; test/support has both in TypeScript.
"""
import json

import numpy as np
import pytorch_fid.inception as pytorch_fid
import torch
from cleanfid.fid import frechet_distance, kernel_distance
from cleanfid.resize import build_resizer
from pictures import grain, scene
from random_weights import uniforms, weight
from torchmetrics.functional.image import peak_signal_noise_ratio as psnr
from torchmetrics.functional.image import structural_similarity_index_measure as ssim
from torchmetrics.functional.image.lpips import _LPIPS

# Width and height: smaller and larger than the 299 x 299 of Inception, along both sides and along one, and just that.
SIZES = [(96, 64), (31, 40), (320, 410), (299, 299), (150, 333), (420, 180)]
# Of every first picture each 32nd of 2048 features is recorded; the folders' distances depend on all of both.
FEATURE_STEP = 32


def pair(number):
    """The number-th picture and a noisy copy, [height, width, 3] levels. The last copy is equal to its picture."""
    width, height = SIZES[number]
    y, x, c = np.indices((height, width, 3))
    first = scene((1 + number % 3) * x + 37 * number, y, (c + number) % 3) >> (number % 2)
    noise = 0 if number == len(SIZES) - 1 else 2 * grain(x, y, c, number + 1) - 31
    return [np.clip(levels, 0, 255).astype(np.uint8) for levels in (first, first + noise)]


def lpips_network():
    network = _LPIPS(pretrained=False, pnet_rand=True, net="alex").eval()
    for name, value in network.state_dict().items():
        if name.startswith("net.slice"):
            value.copy_(weight("features." + name.split(".", 2)[2], value.shape))
        elif name.startswith("lin") and not name.startswith("lins"):
            value.copy_(weight(name, value.shape))
    return network


def inception_network():
    def random_state(*_args, **_kwargs):
        state = pytorch_fid._inception_v3(num_classes=1008, aux_logits=False, weights=None).state_dict()
        counters = [name for name in state if name.endswith("num_batches_tracked")]
        return {name: value if name in counters else weight(name, value.shape) for name, value in state.items()}

    pytorch_fid.load_state_dict_from_url = random_state
    return pytorch_fid.InceptionV3([3], resize_input=False, normalize_input=False).eval()


def features_of(network, levels):
    resized = build_resizer("clean")(levels)  # [299, 299, 3], 0 to 255 with fractions
    x = (torch.from_numpy(resized.transpose(2, 0, 1))[None] - 128) / 128
    return network(x)[0].flatten().numpy()


def unit(levels, dtype):
    return torch.from_numpy(levels.transpose(2, 0, 1)[None] / 255).to(dtype)


def measure(lpips, inception, number):
    a, b = pair(number)
    x, y = unit(a, torch.float64), unit(b, torch.float64)
    decibels = psnr(x, y, data_range=(0.0, 1.0), dim=(1, 2, 3), reduction="none").item()
    return {
        "width": a.shape[1],
        "height": a.shape[0],
        "psnr": None if decibels == float("inf") else decibels,
        "ssim": ssim(x, y, data_range=1.0).item(),
        "lpips": lpips(unit(a, torch.float32), unit(b, torch.float32), normalize=True).item(),
        "features": [features_of(inception, levels) for levels in (a, b)],
    }


def frechet(a, b):
    return frechet_distance(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))


def kernel(a, b):
    """All vectors are one subset, so that the choice of subsets does not matter."""
    return kernel_distance(a, b, num_subsets=1)


def synthetic(name, rows, columns):
    """Vectors with falling spread and a mean of their own, for the distances by themselves."""
    u = uniforms(name, rows * columns).reshape(rows, columns)
    return (u * 0.97 ** np.arange(columns) + 0.1 * uniforms(name + " mean", columns)).astype(np.float32)


def distances(name, rows, columns):
    a, b = synthetic(name + " a", rows, columns), synthetic(name + " b", rows, columns)
    wide = a.astype(np.float64), b.astype(np.float64)
    return {"name": name, "rows": rows, "columns": columns, "frechet": frechet(*wide), "kernel": kernel(*wide)}


def main():
    lpips, inception = lpips_network(), inception_network()
    with torch.no_grad():
        pairs = [measure(lpips, inception, number) for number in range(len(SIZES))]
    a, b = (np.stack([one["features"][side] for one in pairs]).astype(np.float64) for side in (0, 1))
    folders = {"fid": frechet(a, b), "kid": kernel(a, b)}
    for one in pairs:
        one["features"] = [float(f"{value:.7g}") for value in one["features"][0][::FEATURE_STEP]]
    sets = [distances("more vectors than dimensions", 200, 48), distances("fewer vectors than dimensions", 20, 64)]
    print(json.dumps({"featureStep": FEATURE_STEP, "pairs": pairs, "folders": folders, "sets": sets}, indent=1))


main()
