"""The hourglass has the size, the parameters and the reach that its description promises."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dip_lite.engine.muon import Muon
from dip_lite.nets.hourglass import FullResHead, Hourglass, Pointwise, Scale, build, doubled_conv
from dip_lite.tasks import presets

FAST, PAPER, TINY = (p.architecture for p in (presets.FAST, presets.PAPER, presets.TINY))

PRESETS = {"fast": FAST, "paper": PAPER, "tiny": TINY}
SHAPES = PRESETS | {
    "one scale": Hourglass((6,), skip=2),
    "three scales": Hourglass((4, 6, 8), skip=1, upsample="nearest", head_channels=5),
    "five scales": Hourglass((6, 8, 10, 12, 14), skip=3, padding="zeros", head_channels=8),
    "no skip": Hourglass((8, 8, 8), skip=0),
    "coarse skips": Hourglass((4, 6, 8), skip=(0, 0, 2)),
    "fine skip": Hourglass((4, 6), skip=(3, 0), upsample="nearest", padding="zeros"),
}


def make(shape: Hourglass, c_in: int = 4, c_out: int = 3, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(shape, c_in, c_out)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# --- sizes and range


@pytest.mark.parametrize("c_out", [1, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_the_output_is_stride_times_z_and_a_picture(name: str, c_out: int) -> None:
    shape = SHAPES[name]
    height, width = 2 * shape.size_divisor, 3 * shape.size_divisor
    z = noise(1, 4, height // shape.stride, width // shape.stride)
    x = make(shape, 4, c_out)(z).detach()
    assert x.shape == (1, c_out, height, width)
    assert 0 <= float(x.min()) < float(x.max()) <= 1


@pytest.mark.parametrize("name", SHAPES)
def test_even_a_wild_input_stays_in_range(name: str) -> None:
    shape = SHAPES[name]
    side = 2 * shape.size_divisor // shape.stride
    x = make(shape)(1e6 * noise(1, 4, side, side)).detach()
    assert torch.isfinite(x).all() and float(x.min()) >= 0 and float(x.max()) <= 1


def test_stride_and_multiple_follow_the_figure() -> None:
    assert (PAPER.stride, PAPER.size_divisor) == (1, 32)
    for scales in (1, 3, 5):
        assert Hourglass((8,) * scales).size_divisor == 2**scales
        light = Hourglass((8,) * scales, head_channels=4)
        assert (light.stride, light.size_divisor) == (2, 2 ** (scales + 1))


# --- without upsampling


def twins() -> tuple[Hourglass, Hourglass]:
    """One description with strides and doublings, one with dilated kernels in their place."""
    common: dict[str, Any] = {"channels": (6, 8), "skip": 0, "padding": "zeros"}
    return Hourglass(upsample="nearest", **common), Hourglass(upsample="none", **common)


def test_without_upsampling_there_are_the_same_weights_and_the_same_input() -> None:
    halving, flat = twins()
    assert (flat.stride, flat.size_divisor) == (halving.stride, halving.size_divisor)
    weights = [{k: v.shape for k, v in make(shape).state_dict().items()} for shape in twins()]
    assert weights[0] == weights[1]


def test_without_upsampling_a_pixel_sees_no_grid_and_as_far_as_before() -> None:
    """Moving z by one pixel moves the output by one; with strides, only 4 pixels do that."""

    def centre(x: Tensor) -> Tensor:
        return x[..., 20:-20, 20:-20]

    reach = []
    for shape, moved_alike in zip(twins(), (False, True), strict=True):
        net = make(shape).eval()
        z = noise(1, 4, 64, 64)
        x, moved = net(z), net(z.roll(1, dims=3))
        assert moved_alike == bool(torch.allclose(centre(x.roll(1, 3)), centre(moved), atol=1e-5))
        z.requires_grad_()
        net(z)[..., 32, 32].sum().backward()
        assert z.grad is not None
        seen = z.grad.abs().sum((0, 1, 3)).nonzero()
        reach.append(int(seen.max() - seen.min()))
    assert reach == [22, 24]


# --- parameters


def test_the_papers_network_has_as_many_parameters_as_the_authors_print() -> None:
    def conv(c_in: int, c_out: int, size: int) -> int:
        return c_in * c_out * size**2 + c_out

    def block(c_in: int, c_out: int, size: int) -> int:
        return conv(c_in, c_out, size) + 2 * c_out  # a norm has a scale and a shift

    wide, skip = 128, 4
    count = conv(wide, 3, 1)
    for c_in in (32, wide, wide, wide, wide):
        count += block(c_in, skip, 1)
        count += block(c_in, wide, 3) + block(wide, wide, 3)
        count += 2 * (skip + wide)
        count += block(skip + wide, wide, 3) + block(wide, wide, 1)
    assert count == 2_217_831
    assert sum(p.numel() for p in build(PAPER, 32, 3).parameters()) == count


@pytest.mark.parametrize("name", SHAPES)
def test_a_gradient_reaches_every_parameter(name: str) -> None:
    shape = SHAPES[name]
    net = make(shape)
    side = 2 * shape.size_divisor // shape.stride
    picture = torch.rand(1, 3, 2 * shape.size_divisor, 2 * shape.size_divisor)
    F.mse_loss(net(noise(1, 4, side, side)), picture).backward()
    for key, p in net.named_parameters():
        assert p.grad is not None and torch.isfinite(p.grad).all(), key
        if p.ndim == 4:  # a bias before a norm is taken off again by it
            assert p.grad.any(), key


def test_the_seed_of_the_global_generator_decides_the_weights() -> None:
    def weights(seed: int) -> Tensor:
        return torch.cat([p.detach().flatten() for p in make(TINY, seed=seed).parameters()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


# --- what the parts claim


@pytest.mark.parametrize("padding", ["zeros", "reflect"])
def test_norm_before_nearest_doubling_equals_norm_after(padding: str) -> None:
    shape = Hourglass((8,), upsample="nearest", padding=padding, head_channels=6)
    stage = FullResHead(8, 6, 3, shape)
    norm = stage.narrow[1]
    nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(1))
    nn.init.normal_(norm.bias, generator=torch.Generator().manual_seed(2))
    x = 3 * noise(1, 8, 12, 10) + 1
    after = norm(F.interpolate(stage.narrow[0](x), scale_factor=2, mode="nearest"))
    assert torch.allclose(stage(x), stage.colour(stage.detail(after)), atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 7), (8, 6)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_doubling_and_convolving_in_one_equals_one_after_the_other(
    size: tuple[int, int], layout: torch.memory_format
) -> None:
    ours, theirs = (
        (
            noise(2, 3, *size).contiguous(memory_format=layout).requires_grad_(),
            noise(5, 3, 3, 3, seed=1).requires_grad_(),
        )
        for _ in range(2)
    )
    y = doubled_conv(*ours)
    expected = F.conv2d(F.interpolate(theirs[0], scale_factor=2), theirs[1], padding=1)
    assert y.shape == expected.shape and torch.allclose(y, expected, atol=1e-5)
    weights = noise(*y.shape, seed=2)
    (y * weights).sum().backward()
    (expected * weights).sum().backward()
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.grad is not None and torch.allclose(mine.grad, other.grad, atol=1e-4)


@pytest.mark.parametrize("train", [True, False])
def test_the_folded_last_stage_equals_the_unfolded(train: bool) -> None:
    shape = Hourglass((8,), upsample="nearest", padding="zeros", head_channels=6)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        folded = FullResHead(8, 6, 3, shape).train(train)
    plain = copy.deepcopy(folded)
    assert folded.folded
    plain.folded = False
    results = []
    for stage in (folded, plain):
        x = (3 * noise(1, 8, 6, 10) + 1).requires_grad_()
        y = stage(x)
        (y * noise(*y.shape, seed=1)).sum().backward()
        buffers = [b.float() for b in stage.buffers()]
        results.append([y, x.grad, *(p.grad for p in stage.parameters()), *buffers])
    for ours, theirs in zip(*results, strict=True):
        # the norm after the convolution takes its bias away, so there is none; sums run over 240
        assert torch.allclose(ours, theirs, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("skip", [0, 3])
@pytest.mark.parametrize("train", [True, False])
def test_a_folded_scale_equals_the_unfolded(train: bool, skip: int) -> None:
    shape = Hourglass((6, 8), skip=skip, upsample="nearest", padding="zeros", head_channels=6)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        folded = Scale(shape, 0, 5).train(train)
    nn.init.normal_(folded.norm.weight, generator=torch.Generator().manual_seed(1))
    nn.init.normal_(folded.norm.bias, generator=torch.Generator().manual_seed(2))
    plain = copy.deepcopy(folded)
    for module in plain.modules():
        if isinstance(module, Scale):
            assert module.folded
            module.folded = False
    results = []
    for stage in (folded, plain):
        x = (3 * noise(1, 5, 24, 16) + 1).requires_grad_()
        y = stage(x)
        (y * noise(*y.shape, seed=1)).sum().backward()
        results.append([y, x.grad, *(p.grad for p in stage.parameters())])
    for ours, theirs in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_1x1_convolution_is_one(layout: torch.memory_format) -> None:
    conv = Pointwise(5, 3, 1)
    x = noise(2, 5, 6, 4).contiguous(memory_format=layout)
    expected = F.conv2d(x, conv.weight, conv.bias)
    assert torch.allclose(conv(x), expected, atol=1e-6)
    assert conv(x).is_contiguous(memory_format=torch.channels_last)


def test_only_nearest_with_zeros_is_folded() -> None:
    for mode in ("nearest", "bilinear"):
        for padding in ("zeros", "reflect"):
            stage = FullResHead(
                4, 4, 3, Hourglass((4,), upsample=mode, padding=padding, head_channels=4)
            )
            assert stage.folded == ((mode, padding) == ("nearest", "zeros"))


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_padding_and_doubling_are_the_ones_asked_for(mode: str) -> None:
    for padding in ("zeros", "reflect"):
        net = make(Hourglass((4, 4), upsample=mode, padding=padding, head_channels=4))
        convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
        assert {c.padding_mode for c in convs if c.kernel_size == (3, 3)} == {padding}
    kinds = {kind: make(Hourglass((4, 4), upsample=kind)) for kind in ("nearest", "bilinear")}
    z = noise(1, 4, 16, 16)
    assert not torch.allclose(kinds["nearest"](z), kinds["bilinear"](z))


@pytest.mark.parametrize("skip", [0, 2])
def test_with_the_hourglass_cut_only_a_skip_still_sees_z(skip: int) -> None:
    net = make(Hourglass((4, 4), skip=skip))
    outer: Any = net[0]  # type: ignore[index]
    for p in outer.deeper.up[1].parameters():  # the last brick of what hangs below
        nn.init.zeros_(p)
    same = torch.allclose(net(noise(1, 4, 16, 16)), net(noise(1, 4, 16, 16, seed=1)))
    assert same == (skip == 0)


# --- behaviour


@pytest.mark.parametrize("name", [n for n in SHAPES if n != "one scale"])
def test_any_network_here_fits_a_small_picture(name: str) -> None:
    shape = SHAPES[name]
    side = max(32, 2 * shape.size_divisor)
    rows, columns = torch.meshgrid(*[torch.linspace(0, 1, side)] * 2, indexing="ij")
    disc = ((rows - 0.4) ** 2 + (columns - 0.6) ** 2 < 0.08).float()
    picture = torch.stack([0.7 * rows + 0.2 * disc, columns * 0.8, 0.5 - 0.4 * disc])[None]
    net = make(shape)
    optimiser = Muon(net)
    z = noise(1, 4, side // shape.stride, side // shape.stride)
    best = 1.0
    for _ in range(60):
        optimiser.zero_grad()
        loss = F.mse_loss(net(z), picture)
        if (best := min(best, loss.item())) < 0.01:
            break
        loss.backward()
        optimiser.step()
    assert best < 0.01


# --- descriptions that make no network


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"channels": ()}, "()"),
        ({"channels": (8, 0)}, "(8, 0)"),
        ({"channels": (8, -3)}, "(8, -3)"),
        ({"skip": -1}, "-1"),
        ({"skip": (0, 0, 0, 0, -4)}, "(0, 0, 0, 0, -4)"),
        ({"skip": 2.5}, "got 2.5"),
        ({"skip": ()}, "got 0 for 5 scales"),
        ({"skip": (4, 4)}, "one number per scale, got 2 for 5 scales"),
        ({"head_channels": -2}, "-2"),
        ({"upsample": "cubic"}, "'cubic'"),
        ({"head_channels": 4, "upsample": "none"}, "got 4"),
        ({"padding": "same"}, "'same'"),
    ],
)
def test_a_wrong_description_is_refused_with_what_came(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        Hourglass(**wrong)
    message = str(caught.value)
    assert words in message and next(iter(wrong)) in message
    assert message.splitlines() == [message]


def test_a_hook_on_the_upsampling_still_works() -> None:
    shape = Hourglass((6, 8), skip=3, upsample="nearest", padding="zeros")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        scale = Scale(shape, 0, 5)
    x = noise(1, 5, 24, 16)
    folded = scale(x)
    seen: list[torch.Size] = []
    handle = scale.enlarge.register_forward_hook(lambda *call: seen.append(call[2].shape))
    assert torch.allclose(scale(x), folded, atol=1e-5) and seen == [(1, 8, 24, 16)]
    handle.remove()
