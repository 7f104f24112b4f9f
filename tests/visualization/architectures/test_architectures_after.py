"""What the pictures of trained nets of images show: hard images, other solvers, missing layers, a drawn digit."""

import math

import numpy as np
import pytest

from node_core.studies.architectures.questions_config import (
    DigitAnswer,
    HardestResult,
    LayersResult,
    SwapEntry,
    SwapResult,
)
from node_core.visualization.architectures.after import (
    layers_figure,
    layers_info,
    solvers_figure,
    solvers_info,
)
from node_core.visualization.architectures.digit import path_figure, path_info
from node_core.visualization.architectures.gallery import by_digit_figure, gallery_figure, hardest_info


def hardest() -> HardestResult:
    nfe = np.array([37.0, 32.0, 26.0])
    wrong = np.array([True, False, False])
    pixels = np.zeros((2, 8, 8), np.float32)
    by_digit = np.array([30.0, *[math.nan] * 9])
    return HardestResult(
        nfe, nfe, nfe, nfe, wrong, np.array([3, 8, 1]), np.array([5, 8, 1]), pixels, pixels + 1, by_digit, 0.5, "So."
    )  # fmt: skip


def test_the_hardest_are_named_with_their_wrong_answers_and_the_easiest_begin_with_the_easiest() -> None:
    hard, easy = hardest_info(hardest())
    assert hard.captions == ("3→5: 37", "8: 32")
    assert easy.captions == ("1: 26", "8: 32")
    assert easy.images.max() == 1


def test_a_gallery_has_a_tile_and_a_word_an_image() -> None:
    figure = gallery_figure(hardest_info(hardest())[0], a_row=1)
    assert len(figure.data) == 2 and len(figure.layout.annotations) == 2
    tops = [float(tile.y.max()) for tile in figure.data]
    assert tops[0] - tops[1] > 1  # one below the other
    # row 0 of an image is its top
    assert figure.data[0].y[0] > figure.data[0].y[-1]


def test_digits_that_are_not_there_have_no_mark() -> None:
    figure = by_digit_figure(hardest().by_digit)
    low, high = figure.layout.yaxis.range
    assert low < 30 < high


def entry(
    method: str, error: float, nfe: int, rtol: float = math.nan, dt: float = math.nan, trained: bool = False
) -> SwapEntry:
    return SwapEntry(method, rtol, dt, error, nfe, 0.1, trained)


def test_other_solvers_are_lines_and_the_cheapest_that_is_as_good_is_named() -> None:
    own = entry("dopri5", 0.02, 20, rtol=1e-3, trained=True)
    entries = (
        own,
        entry("dopri5", 0.02, 32, rtol=1e-5),
        entry("dopri5", 0.02, 14, rtol=0.1),
        entry("euler", 0.04, 1, dt=1.0),
        entry("euler", math.nan, 0, dt=0.25),
    )
    info = solvers_info(SwapResult(entries, 360))
    assert [line.label for line in info.lines] == ["Dormand-Prince 5(4)", "Euler"]
    assert info.lines[0].nfe.tolist() == [14, 20, 32] and info.lines[1].error.tolist() == [4.0]
    assert info.trained == (20.0, 2.0)
    assert "Dormand-Prince 5(4), tolerance 0.1 needs 14 for 2.0%" in info.sentence
    assert len(solvers_figure(info).data) == 3


def test_of_two_solvers_at_the_same_cost_the_better_one_is_named() -> None:
    own = entry("dopri5", 0.02, 20, rtol=1e-3, trained=True)
    entries = (own, entry("euler", 0.02, 4, dt=0.25), entry("rk4", 0.01, 4, dt=1.0))
    assert "Runge-Kutta 4, h = 1 needs 4 for 1.0%" in solvers_info(SwapResult(entries, 360)).sentence


@pytest.mark.parametrize(
    ("removed", "told"),
    [
        ([0.1, 0.3, 0.3], "10.0% to 30.0% (worst without layer 2 or 3), with"),
        ([0.3, 0.3], "on 30.0%, with"),
        ([0.01, 0.0], "0.0% to 1.0% (none of them is missed), with"),
    ],
)
def test_of_equal_layers_none_is_the_worst(removed: list[float], told: str) -> None:
    there = np.array(removed)
    assert told in layers_info(LayersResult(0.01, there, there, there, 360)).sentence


def test_layers_tell_the_range_and_the_worst() -> None:
    result = LayersResult(0.01, np.array([0.02, 0.3]), np.array([0.03, 0.01]), np.array([0.5, 0.1]), 360)
    info = layers_info(result)
    assert info.whole == 1.0 and info.removed == pytest.approx([2.0, 30.0])
    assert "2.0% to 30.0% (worst without layer 2)" in info.sentence
    assert [bar.y.tolist() for bar in layers_figure(info).data[:2]] == [
        info.removed.tolist(),
        info.repeated.tolist(),
    ]


def test_a_drawing_ends_at_its_answer_among_the_digits() -> None:
    path = np.array([[0.0, 0.0], [1.0, 2.0]], np.float32)
    others = np.zeros((2, 3, 2), np.float32)
    answer = DigitAnswer(np.eye(10)[7], 7, 20, np.array([0.0, 1.0]), path, others, np.array([1, 7, 7]), False)
    figure = path_figure(path_info(answer))
    assert [list(trace.text) for trace in figure.data[:2]] == [["1"], ["7", "7"]]
    assert (figure.data[-1].x[0], figure.data[-1].y[0]) == (1.0, 2.0)
