"""A fit that begins at half the resolution."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dip_lite import add_noise, denoise, psnr, sample
from dip_lite.engine.loop import Run, every, fit
from dip_lite.engine.settings import Settings
from dip_lite.engine.task import Task
from dip_lite.nets.hourglass import Hourglass, build
from dip_lite.tasks.denoising import Recorrupted

SHAPE = Hourglass((8, 8), skip=2, upsample="nearest", padding="zeros", head_channels=8)
COARSE = 5  # steps, in these tests


def own(seen: list[tuple[int, int]] | None = None, **settings: float) -> Task:
    """A task of 32 × 30 pixels with a coarse one; `seen` gathers the sizes of the outputs."""
    target = sample("astronaut")[..., 100:132, 180:210]

    def task(target: Tensor) -> Task:
        def energy(x: Tensor) -> Tensor:
            if seen is not None:
                seen.append((x.shape[2], x.shape[3]))
            return F.mse_loss(x, target)

        z = torch.randn(1, 4, target.shape[2] // 2, 16 * target.shape[2] // 32)
        size = (target.shape[2], target.shape[3])
        return Task(energy, partial(build, SHAPE, 4, 3), z, size, reg_noise_std=0.1, x0=target)

    whole, half = task(target), task(F.avg_pool2d(target, 2))
    whole.coarse, whole.settings = half, Settings(coarse_steps=COARSE, **settings)  # type: ignore[arg-type]
    return whole


def test_the_first_steps_are_of_half_the_size_and_all_pictures_whole() -> None:
    seen: list[tuple[int, int]] = []
    snaps = [*fit(own(seen), steps=8, schedule=every(1), device="cpu")]
    assert seen == [(16, 15)] * (1 + COARSE) + [(32, 30)] * 3  # the first is the look at step 0
    assert all(snap.x.shape == snap.best.shape == (1, 3, 32, 30) for snap in snaps)


def test_without_coarse_steps_a_coarse_task_changes_nothing() -> None:
    task = own()
    task.settings = Settings()
    alone = replace(task, coarse=None)
    first, second = (
        [*fit(each, steps=6, schedule=every(1), device="cpu")] for each in (task, alone)
    )
    assert all(torch.equal(a.x_avg, b.x_avg) for a, b in zip(first, second, strict=True))


def test_optimiser_and_averages_begin_anew_and_the_weights_go_on() -> None:
    run = Run(own(optimiser="adam", lr=0.01), device="cpu")
    for _ in range(COARSE):
        before = [p.detach().clone() for p in run.net.parameters()]
        run.advance()
    assert not run.optimiser.state and run.guard.seen == 0
    weights = [p.detach().clone() for p in run.net.parameters()]
    assert any(not torch.equal(a, b) for a, b in zip(weights, before, strict=True))
    run.advance()
    assert torch.equal(run.x_avg, run.x)  # nothing of the coarse outputs is left in it
    assert all(int(state["step"]) == 1 for state in run.optimiser.state.values())


def test_early_stopping_sees_no_coarse_output() -> None:
    run = Run(own(warmup=3, patience=2, min_delta=0.9), device="cpu")
    *_, last = fit(run, steps=COARSE + 3)
    assert last.step == COARSE + 3 and run.rule.steps == 3


@pytest.mark.parametrize("at", [2, COARSE - 1, COARSE, COARSE + 1])
def test_a_run_resumes_to_the_bit_on_either_side(at: int) -> None:
    task = own()
    straight, before, after = (Run(task, device="cpu") for _ in range(3))
    [*fit(straight, steps=9)], [*fit(before, steps=at)]
    after.load(before.state())
    [*fit(after, steps=9)]
    assert torch.equal(after.x_avg, straight.x_avg) and after.loss == straight.loss


def test_a_run_that_ends_while_coarse_gives_a_whole_picture() -> None:
    *_, last = fit(own(), steps=2, device="cpu")
    assert last.best.shape == (1, 3, 32, 30) and last.best_step == 2


def test_a_fault_at_the_first_full_step_is_rolled_back() -> None:
    seen: list[tuple[int, int]] = []
    task = own(seen)
    sound = task.energy
    task.energy = lambda x: sound(x) * (math.nan if seen.count((32, 30)) == 1 else 1)
    snaps = [*fit(task, steps=COARSE + 4, device="cpu")]
    assert snaps[-1].step == COARSE + 4 and math.isfinite(snaps[-1].loss)
    assert any("nan" in snap.rollback for snap in snaps)


def test_noise_on_z_is_that_of_the_task() -> None:
    runs = [Run(replace(own(), reg_noise_std=std), device="cpu") for std in (0.1, 2.0)]
    for run in runs:
        run.advance()
    assert not torch.equal(runs[0].x, runs[1].x)


def test_a_state_of_a_version_without_coarse_steps_goes_on_without() -> None:
    task = own()
    before, after = (
        Run(replace(task, coarse=coarse), device="cpu") for coarse in (None, task.coarse)
    )
    [*fit(before, steps=2)]
    state = before.state()
    del state["coarse_steps"]
    after.load(state)
    [*fit(before, steps=7)], [*fit(after, steps=7)]
    assert torch.equal(before.x_avg, after.x_avg)


# --- of denoising


def noisy(height: int, width: int) -> Tensor:
    return add_noise(sample("chelsea")[..., 20 : 20 + height, 100 : 100 + width], 25 / 255, seed=0)


def test_half_the_resolution_has_half_the_noise_and_the_same_network() -> None:
    task = denoise(noisy(258, 269), 25 / 255, guide="none")
    assert isinstance(task, Recorrupted) and isinstance(task.coarse, Recorrupted)
    assert task.coarse.size == (129, 135) and task.coarse.sigma == task.sigma / 2
    rng = torch.Generator().manual_seed(0)
    losses = [
        float(each.sample_step(rng)[1](each.padded[..., : each.size[0], : each.size[1]]))
        for each in (task.coarse, task)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)  # both σ²/α²
    assert task.coarse.coarse is None and task.coarse.classical is None
    assert task.coarse.net().state_dict().keys() == task.net().state_dict().keys()
    *_, last = fit(task, steps=task.settings.coarse_steps + 1, device="cpu")
    assert last.x.shape == (1, 3, 258, 269)


def test_small_pictures_other_presets_and_the_plain_prior_are_not_coarse() -> None:
    small, large = noisy(255, 270), noisy(256, 256)
    assert denoise(small, 0.1, guide="none").coarse is None
    assert denoise(large, 0.1, preset="tiny").settings.coarse_steps == 0
    assert denoise(large, 0.1, energy="mse").coarse is None


def test_photon_noise_is_halved_by_its_own_level() -> None:
    coarse = denoise(noisy(256, 256), 0.1, noise="poisson").coarse
    assert isinstance(coarse, Recorrupted) and coarse.level is not None
    assert coarse.level.shape == coarse.padded.shape


def test_large_pictures_are_fitted_in_tiles_and_not_coarse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = replace(denoise(noisy(32, 32), 0.1).settings, tile_above=10_000, tile_side=64)
    presets = denoise.__globals__["PRESETS"]
    tiled = {name: replace(preset, settings=settings) for name, preset in presets.items()}
    monkeypatch.setitem(denoise.__globals__, "PRESETS", tiled)
    task = denoise(noisy(256, 256), 0.1, guide="none")
    assert task.num_tiles > 1 and task.coarse is None


def test_the_network_is_further_at_the_same_cost() -> None:
    x_true = sample("chelsea")[..., 20:276, 100:356]
    task = denoise(noisy(256, 256), 25 / 255, guide="none")
    steps = task.settings.coarse_steps
    *_, coarse = fit(task, steps=steps + 10, device="cpu")
    *_, plain = fit(replace(task, coarse=None), steps=20, device="cpu")
    # one at 128² takes about half the time of one at 256²; measured with seeds 0 to 4 of noise,
    # z and weights: 1.06, 1.84, 0.84, 0.91, 1.24 dB
    assert psnr(coarse.network, x_true) > psnr(plain.network, x_true) + 0.4
