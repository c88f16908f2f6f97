"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon): momentum whose singular values are made equal.

The post finds that transformers learn from fewer examples with it than with AdamW. What is no matrix stays with AdamW.
"""

import torch

# Coefficients of the post's quintic iteration, which brings singular values of 0..1 close to 1 in five steps.
A, B, C = 3.4445, -4.7750, 2.0315


def orthogonal(g, steps=5):
    """The nearest (semi-)orthogonal matrix, roughly. g [n, rows, columns], in bf16 as the post has it."""
    x = g.bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    for _ in range(steps):
        square = x @ x.transpose(1, 2)
        x = A * x + (B * square + C * square @ square) @ x
    return (x.transpose(1, 2) if tall else x).to(g.dtype)


class Muon(torch.optim.Optimizer):
    """For matrices [rows, columns]; two or three squares on top of each other are queries, keys or values, one each.

    The workers of a team divide the iterations among themselves: they are a third of a step of a few pictures.
    """

    def __init__(self, params, lr, team, momentum=0.95, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))
        self.team = team

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            moves = self.team.divide(directions, [self.momentum(p, group["momentum"]) for p in params])
            for p, move in zip(params, moves):
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(move, alpha=-group["lr"])

    def momentum(self, p, beta):
        """The gradients' running mean with this one in it, Nesterov-corrected."""
        state = self.state[p]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(p.grad, 1 - beta)
        return p.grad.lerp(state["momentum"], beta)


def parts_of(matrix):
    """[n, rows, columns]: two or three squares on top of each other are matrices of their own."""
    rows, columns = matrix.shape
    stacked = rows // columns if rows in (2 * columns, 3 * columns) else 1
    return matrix.view(stacked, rows // stacked, columns)


def directions(momenta):
    """Where to move matrices: along their momenta, orthogonalised; longer where there are more rows than columns.

    Those of one shape are orthogonalised together, since a GPU takes as long for one as for a dozen.
    """
    parts = [parts_of(m) for m in momenta]
    moves = [None] * len(parts)
    for shape in sorted({p.shape[1:] for p in parts}):
        alike = [i for i, p in enumerate(parts) if p.shape[1:] == shape]
        longer = max(1.0, shape[0] / shape[1]) ** 0.5
        together = orthogonal(torch.cat([parts[i] for i in alike])) * longer
        for i, move in zip(alike, together.split([len(parts[i]) for i in alike])):
            moves[i] = move.reshape(momenta[i].shape)
    return moves
