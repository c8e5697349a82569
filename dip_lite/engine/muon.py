"""Muon for convolutions, Adam for the rest.

Muon moves a weight matrix by its momentum made orthogonal, so that every direction of the matrix
is learnt at the same pace:

    B ← μB + (1 − μ)G,    W ← W − η·√max(1, m/n)·orthogonalise((1 − μ)G + μB)

A convolution's weight (out, in, k, k) is taken as the matrix out × in·k·k. Biases, norms and the
narrow output layer, which are no matrices to speak of, are moved by Adam.

    optimiser = Muon(net, lr=0.02)
    loss.backward()
    optimiser.step()

Source: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024);
Kingma & Ba, "Adam" (ICLR 2015), which is what the paper used throughout.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

NARROW = 3  # rows; a matrix with no more than these (an RGB output) is left to Adam


@torch.no_grad()
def orthogonalise(matrix: Tensor, iterations: int = 5) -> Tensor:
    """The nearest matrix with all singular values about 1, by a Newton–Schulz iteration.

    Args:
        matrix: (…, m, n), one or many, any scale but zero.
        iterations: quintic steps; five bring the singular values into about [0.7, 1.2].

    Returns:
        (…, m, n), U·Vᵀ of the singular value decomposition U·S·Vᵀ, approximately.

    >>> singular = torch.linalg.svdvals(orthogonalise(torch.randn(8, 72)))
    >>> bool(((singular > 0.5) & (singular < 1.5)).all())
    True
    """
    x = matrix / (matrix.norm(dim=(-2, -1), keepdim=True) + 1e-12)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    for _ in range(iterations):
        gram = x @ x.mT  # (…, m, m) with m ≤ n
        # odd quintic 3.4445·s − 4.7750·s³ + 2.0315·s⁵, applied to every singular value s
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Muon on every convolution of a network and Adam on its other parameters.

    Args:
        net: its parameters are split by shape: four axes and more than three rows go to Muon.
        lr: Muon's step, the size by which a weight's singular values move.
        lr_adam: Adam's step for biases, norms and narrow layers.
        momentum: Muon's μ.
        betas: Adam's decay rates of the first and second moment.

    The state can be saved and loaded by `state_dict`, as with any PyTorch optimiser.
    """

    def __init__(
        self,
        net: nn.Module,
        lr: float = 0.02,
        lr_adam: float = 0.01,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        wide = [p for p in net.parameters() if p.ndim == 4 and p.shape[0] > NARROW]
        rest = [p for p in net.parameters() if p.ndim != 4 or p.shape[0] <= NARROW]
        groups = [
            {"params": wide, "kind": "muon", "lr": lr, "momentum": momentum},
            {"params": rest, "kind": "adam", "lr": lr_adam, "betas": betas},
        ]
        super().__init__([group for group in groups if group["params"]], defaults={})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Moves every parameter that has a gradient once."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if group["kind"] == "muon":
                self._muon(params, group["lr"], group["momentum"])
            else:
                self._adam(params, group["lr"], group["betas"])

    def _muon(self, params: list[Tensor], lr: float, momentum: float) -> None:
        alike: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}
        for p in params:
            assert p.grad is not None
            state = self.state[p]
            if not state:
                state["momentum"] = torch.zeros_like(p)
            buffer = state["momentum"].lerp_(p.grad, 1 - momentum)
            ahead = p.grad.lerp(buffer, momentum)  # Nesterov: look where the momentum leads
            alike.setdefault(p.shape, []).append((p, ahead.flatten(1)))  # (out, in·k·k)
        for shape, pairs in alike.items():  # matrices of one shape are made orthogonal together
            updates = orthogonalise(torch.stack([ahead for _, ahead in pairs]))
            stretch = max(1.0, updates.shape[-2] / updates.shape[-1]) ** 0.5
            for (p, _), update in zip(pairs, updates, strict=True):
                p.add_(update.reshape(shape), alpha=-lr * stretch)

    def _adam(self, params: list[Tensor], lr: float, betas: tuple[float, float]) -> None:
        if not params:
            return
        for p in params:
            if not self.state[p]:
                self.state[p].update(steps=0, mean=torch.zeros_like(p), square=torch.zeros_like(p))
        grads = [p.grad for p in params if p.grad is not None]
        means = [self.state[p]["mean"] for p in params]
        squares = [self.state[p]["square"] for p in params]
        for p in params:
            self.state[p]["steps"] += 1
        steps = [self.state[p]["steps"] for p in params]
        torch._foreach_lerp_(means, grads, 1 - betas[0])
        torch._foreach_mul_(squares, betas[1])
        torch._foreach_addcmul_(squares, grads, grads, 1 - betas[1])
        scale = [(1 - betas[1] ** step) ** 0.5 for step in steps]
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, scale)
        torch._foreach_add_(roots, 1e-8)
        paces = [-lr / (1 - betas[0] ** step) for step in steps]
        torch._foreach_addcdiv_(params, means, roots, paces)
