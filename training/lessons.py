"""What the transformer learns from: random scenes as the autoencoder sees them, with captions worded anew each time.

Encoding a scene costs as much as learning from it. So some scenes of every batch are new, the rest are taken from those
encoded before. Processes of their own can plan scenes and word captions (`--planners`): a GPU learns faster than one does.
"""

import random

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import captions
import common
import scene

AT_ONCE = 64  # scenes of a plan; those of the first plan are all new
PREFETCH = 8  # plans that a process makes in advance


def add_arguments(add):
    """How lessons come about."""
    add("--fresh", type=float, default=0.25, help="share of scenes that were not seen before")
    add("--memory", type=int, default=16384, help="scenes that each planner remembers")
    add("--planners", type=int, default=0, help="processes that plan scenes; 0: the trainer itself")
    add("--shares", default=",".join(map(str, captions.SHARES)), help="how often one object comes, two, some of a kind")
    add("--text-len", type=int, default=32, help="captions are padded to so many tokens")


def tokenise(tokenizer, texts, length):
    """Texts -> ids [B, length] padded with 0, lengths [B]; what is longer is cut, keeping </s>."""
    ids = [tokenizer(t) for t in texts]
    ids = [i if len(i) <= length else i[: length - 1] + [1] for i in ids]
    return torch.tensor([i + [0] * (length - len(i)) for i in ids]), torch.tensor([len(i) for i in ids])


class Planner(IterableDataset):
    """Endless plans of AT_ONCE scenes each:

    {"fresh": new scenes, packed (`scene.pack`), "into": their places in the memory [F], "places": where the features of
    all scenes will be [AT_ONCE], "ids": [AT_ONCE, T], "lengths": [AT_ONCE]}
    Several planners have a part of the memory each.
    """

    def __init__(self, args, library, tokenizer, seed):
        self.args, self.library, self.tokenizer, self.seed = args, library, tokenizer, seed
        self.shares = [float(share) for share in args.shares.split(",")]

    def __iter__(self):
        info = get_worker_info()
        rank = info.id if info else 0
        rng, seen, planned = random.Random(f"{self.seed}/{rank}"), [], 0
        while True:
            fresh = round(self.args.fresh * AT_ONCE) if seen else AT_ONCE
            new = [captions.plan(rng, self.library, self.shares) for _ in range(fresh)]
            into = [(planned + i) % self.args.memory for i in range(fresh)]
            planned += fresh
            for place, planned_scene in zip(into, new):
                seen[place : place + 1] = [planned_scene]
            places = into + rng.choices(range(len(seen)), k=AT_ONCE - fresh)
            texts = [captions.caption(rng, self.library, seen[place]) for place in places]
            ids, lengths = tokenise(self.tokenizer, texts, self.args.text_len)
            first = rank * self.args.memory
            yield {
                "fresh": scene.pack(self.library, new),
                "into": torch.tensor(into, dtype=torch.long) + first,
                "places": torch.tensor(places) + first,
                "ids": ids,
                "lengths": lengths,
            }


class Lessons:
    """Batches of any size; the features of what the planners remember lie on the device, in fp16."""

    def __init__(self, args, painter, tokenizer, vae, seed):
        self.args, self.painter, self.tokenizer, self.vae = args, painter, tokenizer, vae
        self.device = painter.device
        side = args.size // vae.stride
        room = max(1, args.planners) * args.memory
        self.memory = torch.empty(room, vae.config["codebook_dim"], side, side, dtype=torch.half, device=self.device)
        planner = Planner(args, painter.library, tokenizer, seed)
        more = {"prefetch_factor": PREFETCH} if args.planners else {}
        self.plans = iter(DataLoader(planner, batch_size=None, num_workers=args.planners, **more))
        self.ready = None  # what is left of the last plan: (features, ids, lengths)

    @torch.no_grad()
    def encode(self, packed):
        """Features of packed scenes, [B, d, H, W]."""
        x = self.painter.paint(packed).contiguous(memory_format=torch.channels_last)
        with common.autocast(self.device):
            return self.vae.encoder(x)

    def carry_out(self, plan):
        """(features [AT_ONCE, d, H, W], ids, lengths) of a plan."""
        # The memory of a plan's own new scenes is filled before any is read.
        if len(plan["into"]):
            self.memory[plan["into"].to(self.device)] = self.encode(plan["fresh"]).half()
        return tuple(t.to(self.device) for t in (self.memory[plan["places"].to(self.device)], plan["ids"], plan["lengths"]))

    def batch(self, count):
        """(features [count, d, H, W], ids [count, T], lengths [count])"""
        while self.ready is None or len(self.ready[0]) < count:
            more = self.carry_out(next(self.plans))
            self.ready = more if self.ready is None else tuple(map(torch.cat, zip(self.ready, more)))
        features, ids, lengths = (t[:count] for t in self.ready)
        self.ready = tuple(t[count:] for t in self.ready)
        return features.float(), ids, lengths
