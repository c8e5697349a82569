"""Muon against the singular value decomposition and a sum by hand, Adam against PyTorch's."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dip_lite.engine.muon import Muon, orthogonalise


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def module(*shapes: tuple[int, ...]) -> nn.Module:
    """A bag of parameters of these shapes."""
    return nn.ParameterList(nn.Parameter(random(*s, seed=i)) for i, s in enumerate(shapes))


def descend(net: nn.Module, optimiser: torch.optim.Optimizer, steps: int, first: int = 0) -> None:
    """Steps along gradients that depend on the step alone, so that two runs meet the same."""
    for step in range(first, first + steps):
        for i, p in enumerate(net.parameters()):
            p.grad = random(*p.shape, seed=1000 * step + i)
        optimiser.step()


def values(net: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in net.parameters()]


def newton_schulz(s: float) -> float:
    """What five of the iterations do to one singular value."""
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return s


# --- orthogonalise


@pytest.mark.parametrize("shape", [(8, 72), (72, 8), (32, 288), (16, 16), (4, 1), (1, 4)])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_orthogonal_factor_keeps_the_vectors_and_levels_the_values(
    shape: tuple[int, int], scale: float
) -> None:
    matrix = random(*shape, seed=1)
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    core = u.T @ orthogonalise(scale * matrix) @ vh.T  # diagonal, if u and vh are kept
    expected = [newton_schulz(float(value / matrix.norm())) for value in s]
    assert torch.allclose(core, torch.diag(torch.tensor(expected)), atol=1e-3)
    clear = s > 0.05 * matrix.norm()  # what is nearly lost among the others stays small
    assert 0.65 < float(core.diag()[clear].min()) <= float(core.diag().max()) < 1.25


def test_orthogonalising_lands_near_the_nearest_orthogonal_matrix() -> None:
    matrix = random(32, 288)
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    exact = u @ vh
    assert (orthogonalise(matrix) - exact).norm() < 0.3 * exact.norm()


def test_a_matrix_of_zeros_stays_zero_and_the_argument_is_kept() -> None:
    assert not orthogonalise(torch.zeros(4, 9)).any()
    matrix = random(6, 5)
    orthogonalise(matrix)
    assert torch.equal(matrix, random(6, 5))


# --- Muon


def test_the_first_step_by_hand() -> None:
    net = module((4, 1, 1, 1))
    before = values(net)[0].flatten()
    optimiser = Muon(net, lr=0.1)
    net[0].grad = torch.tensor([3.0, 4.0, 0.0, 0.0]).view(4, 1, 1, 1)  # type: ignore[index]
    optimiser.step()
    # the gradient over its norm is (0.6, 0.8, 0, 0) with the one singular value 1; a matrix of
    # 4 × 1 is stretched by √4
    direction = torch.tensor([0.6, 0.8, 0.0, 0.0]) * newton_schulz(1.0)
    assert torch.allclose(values(net)[0].flatten(), before - 0.1 * 2 * direction, atol=1e-6)


def test_the_second_step_looks_ahead_along_its_momentum() -> None:
    net = module((8, 3, 3, 3))
    optimiser = Muon(net, lr=0.1, momentum=0.9)
    descend(net, optimiser, 1)
    before = values(net)[0]
    descend(net, optimiser, 1, first=1)
    first, second = random(8, 3, 3, 3, seed=0), random(8, 3, 3, 3, seed=1000)
    momentum = 0.9 * (0.1 * first) + 0.1 * second
    ahead = 0.1 * second + 0.9 * momentum
    expected = before - 0.1 * orthogonalise(ahead.reshape(8, 27)).view(8, 3, 3, 3)
    assert torch.allclose(values(net)[0], expected, atol=1e-5)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_kernel_is_the_matrix_out_by_in_k_k(layout: torch.memory_format) -> None:
    conv = nn.Conv2d(5, 8, 3, bias=False).to(memory_format=layout)
    before = conv.weight.detach().clone()
    gradient = random(8, 5, 3, 3)
    conv.weight.grad = gradient.to(memory_format=layout)
    Muon(conv, lr=1.0).step()
    moved = (before - conv.weight.detach()).contiguous().view(8, 45)
    assert torch.allclose(moved, orthogonalise(gradient.view(8, 45)), atol=1e-4)


# --- Adam


REST = [(7,), (3, 8, 3, 3), (1, 16, 1, 1), (5, 6)]  # bias, RGB and grey outputs, a plain matrix


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.8, 0.95)])
def test_what_is_left_to_adam_moves_as_pytorchs_adam(betas: tuple[float, float]) -> None:
    ours, theirs = module(*REST), module(*REST)
    descend(ours, Muon(ours, lr=9.0, lr_adam=0.01, betas=betas), 10)
    descend(theirs, torch.optim.Adam(theirs.parameters(), lr=0.01, betas=betas), 10)
    for a, b in zip(values(ours), values(theirs), strict=True):
        assert (a - b).abs().max() < 1e-6


def test_adam_counts_the_steps_of_each_parameter_by_itself() -> None:
    ours, theirs = module((4,), (4,)), module((4,), (4,))
    for net, optimiser in (
        (ours, Muon(ours, lr_adam=0.01)),
        (theirs, torch.optim.Adam(theirs.parameters(), lr=0.01)),
    ):
        for step in range(6):
            for i, p in enumerate(net.parameters()):
                p.grad = random(4, seed=10 * step + i) if i or step > 2 else None
            optimiser.step()
    for a, b in zip(values(ours), values(theirs), strict=True):
        assert (a - b).abs().max() < 1e-6


def test_shape_decides_who_moves_what() -> None:
    net = nn.Sequential(nn.Conv2d(5, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 3, 1))
    optimiser = Muon(net, lr=0.02, lr_adam=0.01)
    kinds = {id(p): group["kind"] for group in optimiser.param_groups for p in group["params"]}
    muon = [name for name, p in net.named_parameters() if kinds[id(p)] == "muon"]
    assert muon == ["0.weight"]
    assert len(kinds) == len(list(net.parameters()))


@pytest.mark.parametrize("shapes", [[(8, 3, 3, 3)], [(8,)]])
def test_a_net_may_lack_one_of_the_two_kinds(shapes: list[tuple[int, ...]]) -> None:
    net = module(*shapes)
    before = values(net)[0]
    descend(net, Muon(net), 1)
    assert not torch.equal(values(net)[0], before)


def test_parameters_without_a_gradient_stay() -> None:
    net = module((8, 3, 3, 3), (8,))
    before = values(net)
    Muon(net).step()
    assert all(map(torch.equal, values(net), before))


# --- both


MAKERS: list[Callable[[nn.Module], torch.optim.Optimizer]] = [
    Muon,
    lambda net: torch.optim.Adam(net.parameters()),
]


@pytest.mark.parametrize("make", MAKERS, ids=["muon", "adam"])
def test_a_saved_state_goes_on_to_the_same_bits(
    make: Callable[[nn.Module], torch.optim.Optimizer],
) -> None:
    net = module((8, 5, 3, 3), (8,), (3, 8, 1, 1))
    optimiser = make(net)
    descend(net, optimiser, 3)
    twin = copy.deepcopy(net)
    other = make(twin)
    other.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    descend(net, optimiser, 2, first=3)
    descend(twin, other, 2, first=3)
    assert all(map(torch.equal, values(net), values(twin)))


def test_muon_finds_the_bottom_of_a_bowl() -> None:
    net = module((8, 4, 1, 1), (8,))
    targets = [random(8, 4, 1, 1, seed=7), random(8, seed=8)]
    optimiser = Muon(net, lr=0.02, lr_adam=0.02)
    for _ in range(300):
        optimiser.zero_grad()
        pairs = zip(net.parameters(), targets, strict=True)
        torch.stack([(p - t).square().sum() for p, t in pairs]).sum().backward()
        optimiser.step()
    for p, target in zip(net.parameters(), targets, strict=True):
        assert (p - target).abs().max() < 0.05
