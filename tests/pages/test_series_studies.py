"""The tabs below the live picture of a series: each answers of the model that is shown."""

import time
from functools import partial

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.series import controls
from pages.ui.series.studies import COUNTS_TAB, EVENTS_TAB, INTERACTION_TAB, LATENT_TAB, RATES_TAB
from tests.pages.harness import LIMIT, open_page, untroubled

opened = partial(open_page, "series")


def says_so(at: AppTest, words: str) -> bool:
    """Whether the page says it, now or once the run's first state is there."""
    give_up = time.monotonic() + LIMIT
    while not any(words in text.value for text in at.markdown):
        if time.monotonic() > give_up:
            return False
        at.run()
    return True


@pytest.mark.parametrize(
    ("tab", "data", "model", "says"),
    [
        (COUNTS_TAB, "theophylline", "latent_ode", "Of series as short as these"),
        (COUNTS_TAB, "pendulum", "latent_ode", "Given 5 observations of each series instead of"),
        (LATENT_TAB, "theophylline", "latent_ode", "Coordinate 1 of z(t0) alone is moved"),
        (RATES_TAB, "hares", "lotka_volterra", "random beginnings of the fit ended in the same place"),
        (INTERACTION_TAB, "hares", "universal", "correlate with Lotka-Volterra's by"),
        (EVENTS_TAB, "events", "latent_ode", "How far off the rate is"),
    ],
)
def test_each_tab_answers(tab: str, data: str, model: str, says: str) -> None:
    at = opened(data=controls.SETS[data], model=controls.MODELS[model], study=tab)
    assert untroubled(at)
    assert says_so(at, says)


def test_a_tab_that_another_model_has_not_gives_way_to_the_first() -> None:
    at = opened(data=controls.SETS["hares"], study=RATES_TAB)
    at.selectbox(key="model").set_value("gru").run()
    assert untroubled(at)
    assert says_so(at, "Root mean squares")
