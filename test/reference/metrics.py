"""PSNR and SSIM of small pictures by torchmetrics and scikit-image, for test/parity/metrics.test.ts.

    python3 test/reference/metrics.py > test/golden/metrics.json

Recorded with torchmetrics 1.9.0, PyTorch 1.13.1 and scikit-image 0.19.3. The pictures are made by whole-number
arithmetic that test/support/pictures.ts repeats. Columns:

    psnr          torchmetrics, per-image dB as the published evaluation asks for it; scikit-image must agree
    ssim          torchmetrics in float64: mirrored border, every pixel counts
    ssimFloat32   the same in float32, as it is mostly run
    ssimCropped   scikit-image with the paper's window: pixels nearer than 5 to the border do not count
"""
import json

import numpy as np
import torch
from pictures import grain, scene
from skimage.metrics import peak_signal_noise_ratio as skimage_psnr
from skimage.metrics import structural_similarity as skimage_ssim
from torchmetrics.functional.image import peak_signal_noise_ratio as psnr
from torchmetrics.functional.image import structural_similarity_index_measure as ssim

SIZES = [(96, 64), (33, 21), (11, 12)]  # width, height


def pairs(x, y, c):
    rim = (x % x.max() == 0) | (y % y.max() == 0)
    base = scene(x, y, c)
    return {
        "noise": (base, base + 2 * grain(x, y, c, 1) - 31),
        "shift": (base, scene(x + 1, y, c)),
        "dim": (base, base >> 1),
        "negative": (base, 255 - base),
        "unrelated": (base, 8 * grain(x, y, c, 2)),
        "one level": (base, base + ((x == 3) & (y == 4) & (c == 1))),
        "rim": (base, np.where(rim, 0, base)),
        "almost white": (254 + (grain(x, y, c, 3) & 1), 254 + (grain(x, y, c, 4) & 1)),
        "flat greys": (0 * base + 40, 0 * base + 43),
        "black and white": (0 * base, 0 * base + 255),
    }


def measure(name, width, height, a, b):
    a, b = (np.clip(image, 0, 255) / 255 for image in (a, b))  # [height, width, 3]
    x, y = (torch.from_numpy(image).permute(2, 0, 1)[None] for image in (a, b))  # [1, 3, height, width]
    decibels = psnr(x, y, data_range=(0.0, 1.0), dim=(1, 2, 3), reduction="none").item()
    assert abs(decibels - skimage_psnr(a, b, data_range=1)) < 1e-5, name
    return {
        "pair": name,
        "width": width,
        "height": height,
        "psnr": decibels,
        "ssim": ssim(x, y, data_range=1.0).item(),
        "ssimFloat32": ssim(x.float(), y.float(), data_range=1.0).item(),
        "ssimCropped": skimage_ssim(
            a, b, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        ),
    }


rows = []
for width, height in SIZES:
    y, x, c = np.indices((height, width, 3))
    rows += [measure(name, width, height, a, b) for name, (a, b) in pairs(x, y, c).items()]
print("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]")
