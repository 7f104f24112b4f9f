"""Drawn digits: where the ink lies, and what is no drawing."""

import numpy as np
import pytest

from node_core.data.strokes import PEN, rasterise

LINE = (((0.4, 0.3), (0.4, 0.8)),)


def test_a_drawing_is_centred_and_scaled_whatever_its_place_and_size() -> None:
    shape = ((0.1, 0.1), (0.5, 0.9), (0.9, 0.1))
    whole = rasterise((shape,), 28)
    small = rasterise((tuple((0.6 + 0.3 * x, 0.2 + 0.3 * y) for x, y in shape),), 28)
    np.testing.assert_allclose(whole, small, atol=0.1)
    assert whole.max() == 1
    assert whole.min() == 0
    rows, columns = np.nonzero(whole > 0.5)
    assert rows.min() <= 1
    assert rows.max() >= 26
    assert columns.min() <= 2
    assert columns.max() >= 25


def test_the_ink_is_as_wide_as_the_pen() -> None:
    image = rasterise(LINE, 40)
    assert image[20].sum() / 40 == pytest.approx(PEN, rel=0.15)
    assert image.sum() / 1600 == pytest.approx(PEN * (1 - PEN) + np.pi / 4 * PEN**2, rel=0.1)
    assert image[20, 20] == 1


def test_mnists_digits_leave_a_margin() -> None:
    image = rasterise(LINE, 28, fill=20 / 28)
    rows = np.nonzero(image.sum(1))[0]
    assert rows.min() >= 3
    assert rows.max() <= 24
    assert len(rows) in (20, 21, 22)


def test_lines_of_one_point_are_dots_in_a_drawing() -> None:
    dotted = (*LINE, ((0.6, 0.55),))
    assert rasterise(dotted, 20).sum() > rasterise(LINE, 20).sum() * 1.05


@pytest.mark.parametrize(
    ("strokes", "sentence"),
    [
        ((), "nothing was drawn"),
        (((),), "nothing was drawn"),
        ((((0.5, 0.5),),), "a dot"),
        ((((0.5, 1.5), (0.2, 0.2)),), "outside of the square"),
        ((((0.5, float("nan")), (0.2, 0.2)),), "outside of the square"),
        ((((0.1, 0.1), (0.9, 0.9)) * 3000,), "6,000 points"),
    ],
)
def test_what_is_no_drawing_is_refused(strokes: tuple, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        rasterise(strokes, 8)
