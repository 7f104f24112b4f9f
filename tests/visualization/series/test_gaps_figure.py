import pytest

from node_core.studies.series.gaps_config import GapsResult, Score
from node_core.visualization.series.gaps import gaps_figure, gaps_info

LABELS = {"latent_ode": "Latent ODE", "gru": "GRU"}


def result(inside, beyond, lines_inside=1.0, lines_beyond=1.0):
    return GapsResult(
        (Score("latent_ode", inside, beyond), Score("gru", 9.0, 9.0)),
        (Score("linear", lines_inside, lines_beyond), Score("smoothing", 2.0, 2.0)),
        12,
        True,
    )


@pytest.mark.parametrize(
    ("inside", "beyond", "says"),
    [
        (0.5, 2.0, "Between the observations Latent ODE is ahead: off by 0.5, straight lines by 1."),
        (0.5, 2.0, "Beyond the last one no model wins: off by 2 (Latent ODE), straight lines by 1."),
        (1.01, 1.0, "Between the observations Latent ODE and straight lines tie, off by 1.01 and 1."),
        (0.5, 0.5, "over 12 series for testing, against the series without noise."),
    ],
)
def test_who_is_ahead_is_said_as_it_is(inside, beyond, says):
    assert says in gaps_info(result(inside, beyond), LABELS).sentence


def test_where_nothing_was_kept_back_nothing_is_claimed():
    one = GapsResult((Score("latent_ode", None, 1.0),), (Score("linear", None, 2.0),), 1, False)
    said = gaps_info(one, LABELS).sentence
    assert "Between the observations there is nothing to compare with." in said
    assert "the one series for testing, against observations that nobody was given" in said


def test_the_figure_draws_what_was_found_models_on_top():
    figure = gaps_figure(gaps_info(result(0.5, 2.0), LABELS))
    assert list(figure.data[0].y) == ["Smoothing spline", "Straight lines", "GRU", "Latent ODE"]
    assert list(figure.data[0].x) == [2.0, 1.0, 9.0, 0.5]
    assert list(figure.data[1].x) == [2.0, 1.0, 9.0, 2.0]
