"""What both trainings share: schedules, the device, resizing, arguments, the log."""

import torch
import torch.nn.functional as F

# Sides of the square token maps of the published schedules.
SCHEDULES = {
    "0.06M": [1, 2, 4, 6, 8, 12, 16],
    "0.25M": [1, 2, 4, 6, 8, 12, 16, 20, 24, 32],
}


def pixels_of(last):
    """The name of the schedule whose last map has this side."""
    for name, sides in SCHEDULES.items():
        if sides[-1] == last:
            return name
    raise SystemExit(f"no schedule ends with a map of side {last}; there are {[s[-1] for s in SCHEDULES.values()]}")


def sides_of(last):
    """The sides of the schedule whose last map has this side."""
    return SCHEDULES[pixels_of(last)]


def pick_device():
    """The GPU, if there is one."""
    if torch.cuda.is_available():
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
        return torch.device("cuda")
    torch.set_flush_denormal(True)
    return torch.device("cpu")


def autocast(device):
    """bf16 matrix products and convolutions: on a CPU with AVX512-BF16, too, two to three times faster than fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16)


def resize(x, side, mode):
    """[B, C, H, W] to side x side; 'area' on the way down, 'bilinear' on the way up and between scales."""
    if x.shape[-1] == side:
        return x
    return F.interpolate(x, size=(side, side), mode=mode, **({} if mode == "area" else {"align_corners": False}))


def psnr(a, b):
    """In dB, of images in -1..1, over everything at once."""
    return -10 * torch.log10((a - b).square().mean() / 4)


def add_data_arguments(add):
    """What every command that plans scenes wants to know."""
    add("--data", required=True, help="folder of sprites")
    add("--names", help="file of the drawings to use and what they are called; default: all")
    add("--styles", type=lambda s: s.split(","), help="default: all")


def log(**values):
    """One line; numbers with four digits, vectors with three behind the point."""
    print("  ".join(f"{name} {written(value)}" for name, value in values.items()), flush=True)


def written(value):
    """A value as the log has it."""
    if torch.is_tensor(value):
        value = value.tolist()
    if isinstance(value, list):
        return " ".join(f"{v:.3f}" for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
