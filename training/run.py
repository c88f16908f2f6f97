"""One training: clock, learning rate, optimiser, averaged weights, checkpoints."""

import copy
import os
import time

import torch

import common
import team as teams
from muon import Muon


SHAPES = 64  # of arguments that one function may be compiled for


class Clock:
    """Trained seconds of a stage against its length, without pauses: a step counts at most PATIENCE seconds.

    It is saved with the checkpoint. An interrupted stage goes on where it was; after a finished one the next starts.
    """

    PATIENCE = 20.0

    def __init__(self, length, trained=0.0):
        self.length, self.trained = length, (trained if trained < length else 0.0)
        self.last = time.monotonic()

    def tick(self):
        """Counts the time since the last tick."""
        now = time.monotonic()
        self.trained += min(now - self.last, self.PATIENCE)
        self.last = now

    @property
    def fraction(self):
        """How much of the stage is done, 0..1."""
        return min(1.0, self.trained / self.length)


class Average:
    """Exponential moving average of a module's parameters over about the last ninth of the steps, at most 1,000."""

    def __init__(self, module):
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, module, step):
        keep = min(0.999, (1 + step) / (10 + step))
        mine, theirs = list(self.module.parameters()), [p.detach() for p in module.parameters()]
        torch._foreach_mul_(mine, keep)
        torch._foreach_add_(mine, theirs, alpha=1 - keep)


def learning_rate(step, warmup, fraction, cooldown):
    """Part of the peak: a linear rise over steps; a linear fall to 2 % over the last `cooldown` part of the stage."""
    left = 1.0 if cooldown <= 0 else min(1.0, (1 - fraction) / cooldown)
    return min(1.0, (step + 1) / warmup) * max(0.02, left)


def make_optimizers(module, args, device, team):
    """AdamW, and with --muon also Muon for the blocks' matrices.

    With AdamW, matrices and kernels decay; biases, norms, gains and embeddings do not.
    """
    named = list(module.named_parameters())
    blocks = [p for n, p in named if args.muon and "block_chunks" in n and p.ndim == 2]
    others = [(n, p) for n, p in named if not any(p is q for q in blocks)]
    decays = lambda name, p: name.endswith("weight") and p.ndim >= 2 and "embed" not in name and "shared.w" not in name
    groups = [
        {"params": [p for n, p in others if decays(n, p)], "weight_decay": args.weight_decay},
        {"params": [p for n, p in others if not decays(n, p)], "weight_decay": 0.0},
    ]
    fused = {"fused": True} if device.type == "cuda" else {}
    optimizers = [(torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.97), **fused), args.lr)]
    if blocks:
        optimizers.append((Muon(blocks, args.muon, team, weight_decay=args.weight_decay), args.muon))
    return optimizers


def save(path, **state):
    """Writes a checkpoint so that an interruption never leaves half a file."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    torch.save(state, path + ".part")
    os.replace(path + ".part", path)


def load(path):
    """Reads a checkpoint onto the CPU."""
    return torch.load(path, map_location="cpu")


def add_arguments(add):
    """What every training wants to know."""
    teams.add_arguments(add)
    add("--out", required=True, help="checkpoint folder; what is there is resumed")
    add("--seconds", type=float, default=540, help="length of the stage in trained time")
    add("--size", type=int, default=128, help="side of the pictures")
    add("--compile", action="store_true", help="fuse element-wise work (PyTorch 2.7 or newer)")
    add("--warmup", type=int, default=100, help="steps in which the learning rate rises")
    add("--muon", type=float, default=0.0, help="learning rate of Muon for the blocks' matrices; without it, AdamW")
    add("--cooldown", type=float, default=0.35, help="last part of the stage, in which the learning rate falls")


class Run:
    """The model, its average, the optimiser and the clock, with their checkpoint in the folder `args.out`.

    `build(config)` makes the model from a saved configuration, or from None; `about` goes into the checkpoints.
    """

    SAVE_EVERY, LOG_EVERY, LOOK_EVERY = 120, 20, 480  # trained seconds

    def __init__(self, args, team, device, build, about):
        self.args, self.team, self.about = args, team, about
        self.path = os.path.join(args.out, "last.pt")
        state = load(self.path) if os.path.exists(self.path) else None
        torch.manual_seed(0)  # the same weights at every worker
        self.model = build(state and state["config"])
        if state:
            self.model.load_state_dict(state["model"])
        self.model.to(device, memory_format=torch.channels_last)
        self.average, self.step = Average(self.model), 0
        self.optimizers = make_optimizers(self.model, args, device, team)
        if state:
            self.average.module.load_state_dict(state["average"])
            for (optimizer, _), saved in zip(self.optimizers, state["optimizers"]):
                optimizer.load_state_dict(saved)
            self.step = state["step"]
        self.clock = Clock(args.seconds, state["trained"] if state else 0.0)

    def compile(self, modules):
        """With --compile, modules that work much element by element do so in fewer kernels; their first steps take longer."""
        if self.args.compile:
            if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 7):
                raise SystemExit(f"--compile: needs PyTorch 2.7 or newer, not {torch.__version__}")
            torch._dynamo.config.recompile_limit = SHAPES
            for module in modules:
                module.compile(dynamic=False)

    @property
    def seed(self):
        """Another number at every step of every worker."""
        return self.step * self.team.size + self.team.rank

    def start(self, **about):
        """Starts the clock once everything is loaded; logs the sizes."""
        torch.manual_seed(self.seed)
        self.log(parameters=sum(p.numel() for p in self.model.parameters()), **about)
        self.clock.last, self.since, self.images = time.monotonic(), self.clock.trained, 0
        self.next = {every: self.clock.trained + every for every in (self.SAVE_EVERY, self.LOG_EVERY, self.LOOK_EVERY)}

    def due(self, every):
        """Whether so many trained seconds have passed since it was last due."""
        if self.clock.trained < self.next[every]:
            return False
        self.next[every] = self.clock.trained + every
        return True

    def descend(self, loss):
        """One step of the optimiser; returns (norm of the gradient, learning rate)."""
        args = self.args
        part = learning_rate(self.step, args.warmup, self.clock.fraction, args.cooldown)
        for p in self.model.parameters():
            p.grad = None
        loss.backward()
        self.team.average_gradients(self.model)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer, peak in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = peak * part
            optimizer.step()
        self.average.update(self.model, self.step)
        self.step += 1
        return norm, args.lr * part

    def learn(self, loss, shown, images):
        """Steps, counts, logs and saves; returns True when it is time to look at pictures.

        `shown` is what the log shows of the step, `images` how many this worker learned from.
        """
        norm, lr = self.descend(loss)
        self.images += images * self.team.size
        self.clock.tick()
        self.clock.trained = self.team.agree(self.clock.trained)
        if not self.team.leads:
            return False
        if self.due(self.LOG_EVERY):
            if not torch.isfinite(loss):
                raise SystemExit("the loss is not finite")
            speed = self.images / max(1e-9, self.clock.trained - self.since)
            self.log(**shown, grad=norm, lr=lr, images_s=speed)
            self.since, self.images = self.clock.trained, 0
        if self.due(self.SAVE_EVERY):
            self.save()
        return self.due(self.LOOK_EVERY)

    def save(self):
        """last.pt to go on from, slim.pt with the averaged weights in fp16."""
        if not self.team.leads:
            return
        about = dict(config=self.model.config, step=self.step, **self.about)
        mean = self.average.module.state_dict()
        half = {k: v.half() if v.is_floating_point() else v for k, v in mean.items()}
        save(os.path.join(self.args.out, "slim.pt"), **about, average=half)
        save(
            self.path,
            **about,
            trained=self.clock.trained,
            model=self.model.state_dict(),
            average=mean,
            optimizers=[optimizer.state_dict() for optimizer, _ in self.optimizers]
        )

    def log(self, **values):
        """One line of the first worker."""
        if self.team.leads:
            common.log(step=self.step, t=int(self.clock.trained), **values)
