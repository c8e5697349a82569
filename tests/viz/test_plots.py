"""Plots draw what they are given, and say what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dip_lite.viz.plots import plot_curves, plot_panels, plot_run, plot_seeds, plot_spectrum

COLUMNS: dict[str, Any] = {
    "step": [0, 1, 2, 4, 8],
    "loss": [0.3, 0.2, 0.1, 0.05, 0.04],
    "psnr_true": [10.0, 12.0, 18.0, 25.0, 24.0],
    "rollback": ["", "", "", "step 4: the loss became nan", ""],
}


def figure_text(fig: Any) -> str:
    """All text of a figure that is drawn."""
    import matplotlib.text

    fig.draw_without_rendering()
    return " | ".join(text.get_text() for text in fig.findobj(matplotlib.text.Text))


def drawn(fig):
    axes = fig.axes[0]
    return axes, {line.get_label(): line.get_xydata() for line in axes.lines}


def test_a_log_axis_is_labelled_where_there_is_room() -> None:
    def labels(first: float, last: float) -> list[str]:
        axes = plot_curves({"a": ([first, last], [1.0, 2.0])}).axes[0]
        axes.figure.draw_without_rendering()  # type: ignore[union-attr]
        ticks = [*axes.get_xticklabels(minor=False), *axes.get_xticklabels(minor=True)]
        low, high = axes.get_xlim()
        return [t.get_text() for t in ticks if low < t.get_position()[0] < high and t.get_text()]

    assert sorted(labels(20, 700), key=float) == ["20", "50", "100", "200", "500"]
    assert sorted(labels(0.015, 3), key=float) == ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]
    assert sorted(labels(1, 5000), key=float) == ["1", "10", "100", "1000"]
    for short in [(60, 90), (110, 190), (3, 4.5), (20, 30)]:
        assert 2 <= len(labels(*short)) <= 10


def test_lines_are_the_values_and_log_axes_drop_what_they_cannot_show():
    fig = plot_curves(
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
    assert plot_curves({"a": ([1, 2], [1.0, 2.0])}).axes[0].get_legend() is None


def test_panels_share_steps_and_stops_and_have_scales_of_their_own():
    fig = plot_panels(
        {"dB": {"a": ([1, 10], [20.0, 25.0]), "b": ([1, 10], [21.0, 24.0])},
         "v": {"c": ([1, 10], [0.3, 0.0])}},
        log_y=["v"], stops={"rule": 4, "oracle": 6}, title="two",
    )  # fmt: skip
    top, bottom = fig.axes
    assert [axes.get_yscale() for axes in (top, bottom)] == ["linear", "log"]
    assert [axes.get_ylabel() for axes in (top, bottom)] == ["dB", "v"]
    assert top.get_legend() and not bottom.get_legend()
    for axes in (top, bottom):
        assert {float(line.get_xdata()[0]) for line in axes.lines[-2:]} == {4, 6}
    assert [text.get_text() for text in top.texts] == ["rule", "oracle"]
    assert "rule" not in {text.get_text() for text in bottom.texts}
    assert figure_text(fig)


@pytest.mark.parametrize("panels", [{}, {"dB": {}}, {"dB": {"a": ([1], [1.0, 2.0])}}])
def test_panels_without_curves_are_refused(panels):
    with pytest.raises(ValueError, match="expected panels"):
        plot_panels(panels)


def test_spectrum_has_a_line_a_band_between_zero_and_one():
    axes, found = drawn(
        plot_spectrum([0, 1, 10], torch.tensor([[-1.0, 0], [0.5, -3.0], [1.0, 0.4]]))
    )
    assert list(found) == ["0 to 0.25", "0.25 to 0.5"]
    assert np.allclose(found["0.25 to 0.5"], [[1, 0.0], [10, 0.4]])
    assert axes.get_xscale() == "log"


def test_dots_are_runs_and_a_line_their_mean():
    axes, _ = drawn(plot_seeds({"depth 2": [1.0, 3.0], "depth 6": [5.0]}, y="dB"))
    drawn_at = [list(line.get_ydata()) for line in axes.lines]
    assert drawn_at == [[2.0, 2.0], [1.0, 3.0], [5.0, 5.0], [5.0]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["depth 2", "depth 6"]


@pytest.mark.parametrize("values", [[2.0], [0.0], [-1.0, -2.0], [1.0, 1.0]])
def test_every_dot_is_within_the_frame(values):
    low, high = plot_seeds({"a": values}).axes[0].get_ylim()
    assert low < min(values) <= max(values) < high


def test_lines_differ_in_style_and_an_empty_one_is_refused():
    curves = {name: ([1, 2], [1.0, 2.0]) for name in "abcd"}
    assert len({line.get_linestyle() for line in plot_curves(curves).axes[0].lines}) == 4
    with pytest.raises(ValueError, match="no point"):
        plot_curves({"a": ([0], [0.5])})


@pytest.mark.parametrize(
    "call",
    [lambda: plot_curves({}), lambda: plot_curves({"a": ([1, 2], [1.0])}), lambda: plot_seeds({}),
     lambda: plot_seeds({"a": []}), lambda: plot_spectrum([0, 1], torch.zeros(3, 2))],
)  # fmt: skip
def test_nothing_to_draw_is_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call()


def test_a_run_says_what_it_shows() -> None:
    fig = plot_run(COLUMNS, stop=4, levels={"NLM": 22.0})
    text = figure_text(fig)
    for label in ("step", "loss", "PSNR (dB)", "to the clean picture", "returned: step 4", "NLM",
                 "rolled back"):  # fmt: skip
        assert label in text
    top, bottom = fig.axes
    assert top.get_xscale() == bottom.get_xscale() == top.get_yscale() == "log"
    assert bottom.get_yscale() == "linear"
    assert list(top.lines[0].get_xdata()) == [1, 2, 4, 8]  # a log axis cannot show step 0


def test_a_run_without_psnr_is_one_panel_and_takes_negative_losses() -> None:
    fig = plot_run({"step": [0, 1, 2], "loss": [1.0, 0.5, -0.5]})
    assert len(fig.axes) == 1 and fig.axes[0].get_yscale() == "linear"
    assert "PSNR" not in figure_text(fig)
    with pytest.raises(ValueError, match="nothing to draw"):
        plot_run({"step": [0], "loss": [1.0]})
