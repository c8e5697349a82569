"""A fit watched to its end."""

import os
from itertools import pairwise

import pytest
import torch

from dip_lite import column, every, prior, psnr, psnrs, sample, watch

X = sample("camera")[..., 100:132, 100:132]


def test_all_snapshots_in_their_order_and_each_a_copy():
    snaps = watch(prior(X), steps=12)
    assert column(snaps, "step")[0] == 0
    assert column(snaps, "step") == sorted({*column(snaps, "step")})
    assert snaps[-1].step == 12
    pictures = [snap.x for snap in snaps]
    assert len({x.data_ptr() for x in pictures}) == len(pictures)
    # the first step's output is that of the weights before any step, as snapshot 0's is
    assert not any(torch.equal(a, b) for a, b in pairwise(pictures[1:]))


def test_the_schedule_and_the_seed_are_the_caller_s():
    snaps = watch(prior(X), steps=9, schedule=every(3), seed=3)
    assert column(snaps, "step") == [0, 3, 6, 9]
    assert torch.equal(snaps[-1].x, watch(prior(X), steps=9, seed=3)[-1].x)


def test_without_a_budget_the_task_s_own():
    assert watch(prior(X, steps=4))[-1].step == 4


@pytest.mark.skipif("TQDM_DISABLE" in os.environ, reason="bars are switched off from outside")
def test_the_bar_counts_steps_and_goes(capsys):
    watch(prior(X), steps=5, label="a fit")
    shown = capsys.readouterr().err
    assert "a fit" in shown
    assert shown.endswith(" \r")  # wiped at the end


def test_psnrs_are_those_of_the_clamped_pictures():
    snaps = watch(prior(X), steps=3)
    assert psnrs(snaps, X)[-1] == psnr(snaps[-1].x.clamp(0, 1), X)
    assert psnrs(snaps, X, "x_avg")[-1] == psnr(snaps[-1].x_avg.clamp(0, 1), X)
