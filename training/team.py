"""Several processes that train one model on a CPU."""

import os

import torch
import torch.distributed as dist


class Team:
    """Single-threaded workers, each on its own scenes, that average their gradients; a GPU works alone.

    On a busy machine they are three times faster than threads of one process, which wait for each other at every
    operator. The first worker is the process that was started, so that stopping it pauses them all.
    """

    def __init__(self, size=1, rank=0):
        self.size, self.rank = size, rank

    @property
    def leads(self):
        """Whether this is the worker that logs, saves and draws."""
        return self.rank == 0

    def average_gradients(self, model):
        """Gives every worker the mean of all gradients."""
        if self.size == 1:
            return
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients]) / self.size
        dist.all_reduce(flat)
        for g, mean in zip(gradients, flat.split([g.numel() for g in gradients])):
            g.copy_(mean.view_as(g))

    def divide(self, work, tensors):
        """work(tensors), a list of the same shapes: every worker does its part of them and gets all."""
        if self.size == 1:
            return work(tensors)
        results = [torch.zeros_like(t) for t in tensors]
        results[self.rank :: self.size] = work(tensors[self.rank :: self.size])
        flat = torch.cat([r.flatten() for r in results])
        dist.all_reduce(flat)
        return [r.view_as(t) for r, t in zip(flat.split([t.numel() for t in tensors]), tensors)]

    def agree(self, value):
        """The first worker's value of a number."""
        if self.size == 1:
            return value
        box = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(box, 0)
        return box.item()


def add_arguments(add):
    """How large the team is."""
    add("--workers", type=int, default=1, help="processes on a CPU")
    add("--port", type=int, default=29511, help="where the workers meet")


def run(main, args):
    """Calls main(args, team) in `args.workers` processes, this one among them."""
    if args.workers == 1:
        main(args, Team())
        return
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(args.port), OMP_NUM_THREADS="1")
    context = torch.multiprocessing.get_context("spawn")
    for rank in range(1, args.workers):
        context.Process(target=join, args=(main, args, rank), daemon=True).start()
    join(main, args, 0)


def join(main, args, rank):
    """One worker's life."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=args.workers)
    main(args, Team(args.workers, rank))
