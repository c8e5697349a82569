"""The notebooks' curves: what is drawn is what was given."""

import numpy as np
import pytest
import torch

from dip_lite.figures import dots, lines, spectrum


def drawn(fig):
    axes = fig.axes[0]
    return axes, {line.get_label(): line.get_xydata() for line in axes.lines}


def test_lines_are_the_values_and_log_axes_drop_what_they_cannot_show():
    fig = lines(
        {"a": ([0, 1, 10], [1.0, 0.5, 0.1]), "b": ([1, 2, 3], [0.3, 0.0, 0.2])},
        y="loss", log_y=True, stops={"best": 10}, levels={"noise": 0.2}, title="two",
    )  # fmt: skip
    axes, found = drawn(fig)
    assert np.allclose(found["a"], [[1, 0.5], [10, 0.1]])
    assert np.allclose(found["b"], [[1, 0.3], [3, 0.2]])
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_ylabel()) == ("log", "log", "loss")
    assert {text.get_text() for text in axes.texts} == {"best", "noise"}
    fig.canvas.draw()


def test_a_single_line_has_no_legend():
    assert lines({"a": ([1, 2], [1.0, 2.0])}).axes[0].get_legend() is None


def test_spectrum_has_a_line_a_band_between_nought_and_one():
    axes, found = drawn(spectrum([0, 1, 10], torch.tensor([[-1.0, 0], [0.5, -3.0], [1.0, 0.4]])))
    assert list(found) == ["0 to 0.25", "0.25 to 0.5"]
    assert np.allclose(found["0.25 to 0.5"], [[1, 0.0], [10, 0.4]])
    assert axes.get_xscale() == "log"


def test_dots_are_runs_and_a_line_their_mean():
    axes, _ = drawn(dots({"depth 2": [1.0, 3.0], "depth 6": [5.0]}, y="dB"))
    drawn_at = [list(line.get_ydata()) for line in axes.lines]
    assert drawn_at == [[2.0, 2.0], [1.0, 3.0], [5.0, 5.0], [5.0]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["depth 2", "depth 6"]


@pytest.mark.parametrize("values", [[2.0], [0.0], [-1.0, -2.0], [1.0, 1.0]])
def test_every_dot_is_within_the_frame(values):
    low, high = dots({"a": values}).axes[0].get_ylim()
    assert low < min(values) <= max(values) < high


def test_lines_differ_by_their_strokes_and_an_empty_one_is_refused():
    curves = {name: ([1, 2], [1.0, 2.0]) for name in "abcd"}
    assert len({line.get_linestyle() for line in lines(curves).axes[0].lines}) == 4
    with pytest.raises(ValueError, match="no point"):
        lines({"a": ([0], [0.5])})


@pytest.mark.parametrize(
    "call",
    [lambda: lines({}), lambda: lines({"a": ([1, 2], [1.0])}), lambda: dots({}),
     lambda: dots({"a": []}), lambda: spectrum([0, 1], torch.zeros(3, 2))],
)  # fmt: skip
def test_nothing_to_draw_is_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call()
