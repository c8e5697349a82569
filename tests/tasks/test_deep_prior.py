"""The plain prior: any network, a random input, the distance to the known pixels."""

import math

import pytest
import torch
import torch.nn.functional as F

from dip_lite import Hourglass, Run, add_noise, every, fit, prior, psnr, sample
from dip_lite.images.degrade import shuffle_pixels
from dip_lite.images.holes import psnr_where
from dip_lite.images.masks import hole
from dip_lite.nets.baselines import NETS

X = F.interpolate(sample("chelsea")[..., :256, :256], size=(64, 64), mode="area")


def last(task, steps, seed=0):
    return [*fit(task, steps=steps, stop=False, seed=seed)][-1]


@pytest.mark.parametrize("name", [*NETS, "pixels"])
def test_every_network_learns_the_picture(name):
    z = "grid" if name == "perceptron" else "normal"
    snaps = [*fit(prior(X, net=name, z=z), steps=25, stop=False)]
    assert snaps[-1].x.shape == X.shape
    assert snaps[-1].loss < 0.5 * snaps[0].loss


def test_any_size_and_grey():
    grey = X[:, :1, :37, :50]
    for name in ("depth-3", "unet", "deep-decoder", "resnet"):
        assert last(prior(grey, net=name), 2).x.shape == grey.shape


def test_the_energy_looks_at_known_pixels_alone():
    mask = hole((64, 64), seed=1, fraction=0.1)
    masked = torch.where(mask > 0, X, 1.0)
    task = prior(masked, mask=mask)
    other = torch.where(mask > 0, X, 0.3)
    assert float(task.energy(other)) == pytest.approx(0, abs=1e-12)
    assert float(task.energy(other + 0.1)) == pytest.approx(0.01, rel=1e-4)
    same = prior(torch.where(mask > 0, X, 0.7), mask=mask)
    assert torch.equal(last(task, 5).x, last(same, 5).x)


def test_what_comes_back_is_the_network_s_own_even_at_known_pixels():
    mask = hole((64, 64), seed=1, fraction=0.1)
    snap = last(prior(X, mask=mask), 5)
    assert not torch.allclose(snap.x_avg * mask, X * mask, atol=1e-3)


def test_a_mask_inverted_fills_nothing():
    """The right way round a hole comes nearer to the truth; inverted the surroundings are lost."""
    mask = hole((64, 64), seed=1, fraction=0.1)
    right, wrong = (last(prior(X, mask=m), 150).x for m in (mask, 1 - mask))
    known = mask.expand_as(X) > 0
    errors = [float((x - X)[known].square().mean()) for x in (right, wrong)]
    assert errors[0] < 0.2 * errors[1]  # five seeds gave 0.01 to 0.03


def test_structure_comes_before_shuffled_pixels():
    kept = [last(prior(x), 100).loss for x in (X, shuffle_pixels(X))]
    assert kept[0] < 0.5 * kept[1]  # five seeds gave 0.08 to 0.11


def test_pixels_have_no_impedance_and_the_network_has():
    x0 = add_noise(X, 50 / 255, seed=0)
    shown = {net: last(prior(x0, net=net), 150).x.clamp(0, 1) for net in ("light", "pixels")}
    assert psnr(shown["light"], X) > psnr(x0, X) + 3
    assert psnr(shown["pixels"], X) < psnr(x0, X) + 1


def test_no_step_no_change():
    task = prior(X, lr=0.0, optimiser="adam")
    first, end = [*fit(task, steps=3, stop=False)][:: len([*fit(task, steps=3, stop=False)]) - 1]
    assert torch.equal(first.x, end.x)


def test_settings_reach_the_task():
    task = prior(X, optimiser="adam", steps=7, reg_noise_std=0.1, channels=3, z="uniform", seed=4)
    assert (task.settings.lr, task.settings.steps, task.reg_noise_std) == (0.01, 7, 0.1)
    assert task.z.shape[1] == 3
    assert 0 <= float(task.z.min()) <= float(task.z.max()) <= 0.1
    assert not torch.equal(task.z, prior(X, channels=3, z="uniform", seed=5).z)
    assert math.isclose(prior(X).settings.lr, 0.02)


def test_gradient_descent_moves_every_weight_by_lr_times_its_gradient():
    run = Run(prior(X, optimiser="sgd", lr=0.5))
    before = [p.detach().clone() for p in run.net.parameters()]
    run.advance()
    for old, p in zip(before, run.net.parameters(), strict=True):
        assert p.grad is not None and torch.allclose(p.detach(), old - 0.5 * p.grad, atol=1e-7)


def test_gradient_descent_learns_at_its_own_rate_and_goes_on_from_a_state():
    task = prior(X, optimiser="sgd")
    snaps = [*fit(task, steps=40, stop=False)]
    assert not any(snap.rollback for snap in snaps)
    assert snaps[-1].loss < 0.5 * snaps[0].loss
    run, other = Run(task), Run(task)
    for _ in range(3):
        run.advance()
    other.load(run.state())
    run.advance()
    other.advance()
    assert torch.equal(run.x, other.x)


def test_a_grid_is_the_coordinates():
    z = prior(X, net="perceptron", z="grid").z
    assert z.shape == (1, 2, 64, 64)
    assert (float(z.min()), float(z.max())) == (-1.0, 1.0)
    assert torch.equal(z[0, 0], z[0, 1].T)


def test_a_description_is_as_good_as_a_name():
    shape = Hourglass((8, 8), 0, "nearest", "zeros")
    assert last(prior(X, net=shape), 2).x.shape == X.shape


@pytest.mark.parametrize(
    ("words", "wrong"),
    [("net must be pixels or one of light", {"net": "vgg"}), ("z must be one of", {"z": "noise"}),
     ("net must be pixels", {"net": None}), ("channels must be", {"channels": 0}),
     ("reg_noise_std ≥ 0", {"reg_noise_std": -1.0}), ("optimiser must be", {"optimiser": "lion"}),
     ("mask", {"mask": torch.ones(1, 1, 8, 8)})],
)  # fmt: skip
def test_wrong_arguments_are_one_sentence(words, wrong):
    with pytest.raises(ValueError, match=words):
        prior(X, **wrong)


def test_a_target_ends_the_run_with_the_output_that_reached_it():
    mask = hole((64, 64), seed=1, fraction=0.1)
    *_, before, end = fit(prior(X * mask, mask=mask, target=20), schedule=every(1), stop=False)
    assert end.stop_reason.startswith("target:") and end.step < 1000
    assert torch.equal(end.best, end.x) and torch.equal(end.x_avg, end.x)
    reached, not_yet = (psnr_where(snap.x, X, mask) for snap in (end, before))
    assert not_yet < 20 <= reached < 21
    assert last(prior(X * mask, mask=mask, target=60), 3).stop_reason.startswith("steps")
