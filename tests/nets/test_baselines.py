"""The ablation's networks: shapes, what each can and cannot see, and what they learn."""

import pytest
import torch
from torch import nn

from dip_lite import Hourglass, build
from dip_lite.nets.baselines import (
    NETS,
    DeepDecoder,
    Perceptron,
    PlainConvNet,
    ResNet,
    UNet,
    reach,
)


def made(shape, c_in=2, c_out=3, side=None):
    side = side or shape.size_divisor * shape.min_multiples
    net = build(shape, c_in, c_out)
    z = torch.randn(1, c_in, side // shape.stride, side // shape.stride)
    return net, z, side


def convolutions(net):
    return [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]


@pytest.mark.parametrize("name", NETS)
def test_every_network_gives_a_picture_of_the_right_size_and_range(name):
    net, z, side = made(NETS[name])
    x = net(z).detach()
    assert x.shape == (1, 3, side, side)
    assert 0 <= float(x.min()) < float(x.max()) <= 1


@pytest.mark.parametrize("name", NETS)
def test_every_weight_has_a_gradient(name):
    net, z, _ = made(NETS[name])
    (net(z) - torch.rand(1, 3, 1, 1)).square().mean().backward()
    # what feeds nothing would be dead weight in a table of parameters
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("depth", range(1, 7))
def test_depth_is_the_number_of_halvings(depth):
    net, _, _ = made(NETS[f"depth-{depth}"])
    strided = [conv for conv in convolutions(net) if conv.stride == (2, 2)]
    assert len(strided) == depth
    assert NETS[f"depth-{depth}"].size_divisor == 2**depth
    assert all(conv.kernel_size == (5, 5) for conv in strided)


def test_skips_alone_set_the_skip_networks_apart():
    plain, four, many = (NETS[name] for name in ("depth-6", "skip-4", "skip-64"))
    assert (plain.skip, four.skip, many.skip) == (0, 4, 64)
    assert plain.channels == four.channels == many.channels


def response(net, z, at):
    """Which pixels of the output move when one pixel of z does, with norms at rest.

    A stack of n convolutions of 3×3 reaches n pixels; the 1×1 at its end adds nothing.
    """
    net.eval()
    moved = z.clone()
    moved[0, :, at, at] += 1
    with torch.no_grad():
        return (net(moved) - net(z)).abs().sum(1)[0] > 1e-9


def test_a_perceptron_sees_one_pixel_and_a_stack_its_neighbours():
    for shape, radius in (
        (Perceptron(3, 16), 0),
        (Perceptron(), 0),
        (PlainConvNet(4, 8), 4),
        (ResNet(2, 8), 7),
    ):
        net, z, _ = made(shape, side=32)
        seen = response(net, z, 16).nonzero()
        spread = (seen - 16).abs().max()
        assert int(spread) == radius


def test_a_deep_network_sees_far_beyond_a_flat_one():
    net, z, _ = made(NETS["depth-4"], side=64)
    assert int((response(net, z, 32).nonzero() - 32).abs().max()) > 20


def test_a_unet_hands_detail_across_that_the_paper_s_network_does_not():
    """Through its finest skip alone a U-Net's output follows a single pixel of z."""
    torch.manual_seed(0)
    net, z, _ = made(UNet((8, 16)), side=16)
    level = net[0]
    with torch.no_grad():
        level.enlarge.weight.zero_()  # nothing comes from below
    assert response(net, z, 8).any()
    bare, z, _ = made(Hourglass((8, 16), skip=0, upsample="nearest", padding="zeros"), side=16)
    with torch.no_grad():
        bare[0].up[0][0].weight.zero_()
    assert not response(bare, z, 8).any()


def test_a_deep_decoder_is_small_and_has_no_wide_convolution():
    net, z, side = made(DeepDecoder(channels=16, levels=3))
    assert z.shape[-1] * 8 == side
    assert {conv.kernel_size for conv in convolutions(net)} == {(1, 1)}


def test_deconvolution_is_learnt_and_the_others_are_not():
    def count(mode):
        net = build(Hourglass((8, 8), 0, mode, "zeros"), 2, 3)
        return sum(p.numel() for p in net.parameters())

    assert count("nearest") == count("bilinear") < count("deconvolution")


@pytest.mark.parametrize(
    ("words", "wrong"),
    [("kernel must be odd", {"kernel": 4}), ("kernel must be odd", {"kernel": 0}),
     ("upsample must be", {"upsample": "cubic"})],
)  # fmt: skip
def test_a_wrong_description_is_refused(words, wrong):
    with pytest.raises(ValueError, match=words):
        Hourglass(**wrong)


@pytest.mark.parametrize(
    ("words", "wrong"),
    [("size must be odd", lambda: PlainConvNet(size=2)),
     ("depth must be", lambda: PlainConvNet(depth=0)),
     ("channels must be", lambda: UNet(())), ("levels must be", lambda: DeepDecoder(levels=-1)),
     ("blocks must be", lambda: ResNet(blocks=0))],
)  # fmt: skip
def test_a_rival_checks_its_numbers(words, wrong):
    with pytest.raises(ValueError, match=words):
        wrong()


def test_reflection_asks_for_a_bottom_that_it_can_reflect():
    shape = Hourglass((8, 8), 0, "nearest", "reflect", kernel=5)
    net, z, _ = made(shape)
    assert shape.min_multiples == 3
    assert torch.isfinite(net(z)).all()


def test_reach_is_the_radius_of_the_receptive_field():
    assert reach(PlainConvNet(depth=8), side=64) == 8  # a pixel a layer
    assert reach(Perceptron(), side=64) == 0
    found = [reach(NETS[f"depth-{depth}"], side=128) for depth in (1, 2, 3)]
    assert found == sorted(set(found))
    assert reach(NETS["depth-6"], side=128) == 64  # half the side: all of the picture
