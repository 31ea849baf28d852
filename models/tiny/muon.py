"""Muon: momentum whose update is made orthogonal, for the weight matrices inside the layers (Jordan and others, 2024).

Everything else (embeddings, norms, convolutions, the towers' first and last projections) is trained by AdamW.
"""

from __future__ import annotations

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5


def orthogonal(x: torch.Tensor) -> torch.Tensor:
    """Newton-Schulz iteration on a stack of matrices `[count, rows, columns]`, towards singular values of 1."""
    a, b, c = COEFFICIENTS
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Groups matrices of one shape, so that each group is one batched iteration."""

    def __init__(self, parameters: list, lr: float, momentum: float = 0.95, weight_decay: float = 0.0):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """One update of every matrix that has a gradient."""
        for group in self.param_groups:
            shapes: dict = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for shape, members in shapes.items():
                self.update(group, shape, members)

    def update(self, group: dict, shape: torch.Size, members: list) -> None:
        """One shape."""
        directions = []
        for parameter in members:
            state = self.state[parameter]
            buffer = state.setdefault("momentum", torch.zeros_like(parameter))
            buffer.lerp_(parameter.grad, 1 - group["momentum"])
            directions.append(parameter.grad.lerp(buffer, group["momentum"]))
        scale = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
        for parameter, direction in zip(members, orthogonal(torch.stack(directions))):
            parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=scale)
