"""The downsampler is Pillow's and differentiable; the enlarger is Pillow's, within [0, 1]."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from dip_lite.images.resample import KERNELS, Downsample, upsample
from dip_lite.images.samples import sample

TOLERANCE = 1e-6  # as the docstrings say; 5e-7 was the largest difference seen
FACTORS = (2, 3, 4, 8)
SIZES = ((7, 9), (1, 2), (31, 5))  # (h, w) of small pictures, smaller than the kernel too


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def by_pillow(x: Tensor, size: tuple[int, int], kernel: str) -> Tensor:
    """Each channel as a float picture, resized by Pillow to (H, W)."""
    how = Image.Resampling[kernel.upper()]
    resized = [np.array(Image.fromarray(c.numpy()).resize(size[::-1], how)) for c in x[0]]
    return torch.from_numpy(np.stack(resized))[None]


def agree(x: Tensor, y: Tensor) -> bool:
    return x.shape == y.shape and float((x - y).abs().max()) < TOLERANCE


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_smaller_as_pillow(kernel: str, factor: int, size: tuple[int, int], channels: int) -> None:
    h, w = size
    x = noise(1, channels, h * factor, w * factor)
    down = Downsample((h * factor, w * factor), factor, kernel)
    assert down.small == size
    assert agree(down(x), by_pillow(x, size, kernel))
    assert agree(down(x.round()), by_pillow(x.round(), size, kernel))  # black and white
    assert agree(down(x.contiguous(memory_format=torch.channels_last)), down(x))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_larger_as_pillow(kernel: str, factor: int, size: tuple[int, int], channels: int) -> None:
    x = noise(1, channels, *size)
    expected = by_pillow(x, (size[0] * factor, size[1] * factor), kernel)
    assert agree(upsample(x, factor, kernel), expected.clamp(0, 1))


def test_a_photograph_as_pillow() -> None:
    x = sample("astronaut")
    assert agree(Downsample((512, 512), 4)(x), by_pillow(x, (128, 128), "lanczos"))
    assert agree(upsample(x, 2), by_pillow(x, (1024, 1024), "bicubic").clamp(0, 1))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("factor", [*FACTORS, 5, 16])
def test_a_constant_stays_constant(kernel: str, factor: int) -> None:
    flat = torch.full((1, 3, 3 * factor, 11 * factor), 0.7)
    assert agree(Downsample((3 * factor, 11 * factor), factor, kernel)(flat), flat[..., :3, :11])
    assert agree(upsample(flat[..., :3, :11], factor, kernel), flat)


def test_a_batch_is_its_pictures() -> None:
    x = noise(4, 3, 24, 16)
    down = Downsample((24, 16), 4)
    assert agree(down(x), torch.cat([down(one[None]) for one in x]))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_gradient_is_right(kernel: str) -> None:
    down = Downsample((12, 9), 3, kernel)
    x = noise(1, 2, 12, 9).double().requires_grad_()
    assert torch.autograd.gradcheck(down, (x,))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_backward_pass_is_the_adjoint(layout: torch.memory_format) -> None:
    down = Downsample((40, 24), 4)
    x = noise(1, 3, 40, 24).double().contiguous(memory_format=layout).requires_grad_()
    y = noise(1, 3, 10, 6).double() - 0.5
    (adjoint,) = torch.autograd.grad(down(x), x, y)  # ⟨Ax, y⟩ = ⟨x, Aᵀy⟩
    assert torch.allclose((down(x) * y).sum(), (x * adjoint).sum(), rtol=1e-12)


def test_precision_is_kept_under_autocast_and_raised_to_float32() -> None:
    down = Downsample((16, 16), 2)
    x = noise(1, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(down(x), down(x.clone()))
        inside = down(x)
    assert torch.equal(inside, down(x)) and inside.dtype == torch.float32
    assert down(x.bfloat16()).dtype == torch.float32
    assert down(x.double()).dtype == torch.float64
    assert torch.equal(copy.deepcopy(down)(x), inside)


def test_a_guess_made_smaller_is_near_the_picture() -> None:
    x0 = Downsample((512, 512), 4)(sample("astronaut")).clamp(0, 1)
    again = Downsample((512, 512), 4)(upsample(x0, 4))
    assert float((again - x0).square().mean()) < 1e-3


@pytest.mark.parametrize("size", [(17, 16), (16, 18), (0, 16), (-4, 16)])
def test_sizes_that_do_not_divide_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="sides must be multiples of the factor 4, got ") as caught:
        Downsample(size, 4)
    assert f"{size[0]}×{size[1]} (H×W)" in str(caught.value)


@pytest.mark.parametrize("factor", [1, 0, -2, 2.0, "4", None])
def test_factors_that_are_none_are_refused(factor: int) -> None:
    with pytest.raises(ValueError, match="factor must be a whole number of at least 2, got"):
        Downsample((16, 16), factor)
    with pytest.raises(ValueError, match="factor must be a whole number of at least 2, got"):
        upsample(torch.zeros(1, 1, 16, 16), factor)


def test_an_unknown_kernel_is_refused() -> None:
    message = "kernel must be one of lanczos, bicubic, box, got 'nearest'"
    with pytest.raises(ValueError, match=message):
        Downsample((16, 16), 2, "nearest")
    with pytest.raises(ValueError, match=message):
        upsample(torch.zeros(1, 1, 16, 16), 2, "nearest")


@pytest.mark.parametrize("shape", [(1, 3, 16, 20), (1, 3, 8, 8), (3, 16, 16)])
def test_another_size_than_announced_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected a picture \(N, C, 16, 16\), got "):
        Downsample((16, 16), 2)(torch.zeros(shape))
