"""Below the live picture of a series: tabs of which only the open one computes, for the models that can be asked."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import streamlit as st

from node_core.studies.series.gaps_config import GapsConfig, GapsResult
from node_core.studies.series.questions_config import (
    EventsConfig,
    EventsResult,
    InteractionConfig,
    InteractionResult,
    LatentConfig,
    LatentResult,
    ObservationsConfig,
    ObservationsResult,
    RatesConfig,
    RatesResult,
)
from node_core.studies.series.snippets import gaps_snippet
from node_core.training.series.config import SeriesConfig, structure
from node_core.visualization.series.gaps import gaps_figure, gaps_info
from node_core.visualization.series.studies import (
    events_said,
    interaction_said,
    latent_said,
    observations_said,
    rates_said,
    rates_table,
)
from pages.ui.layout import picture, slide_int
from pages.ui.live.run import first_state, live_runs
from pages.ui.series.controls import MODELS
from pages.ui.series.edits import names_of
from pages.ui.study import study

_ROOM = "node_core.studies.series"
GAPS_TAB = "Beside straight lines and splines"
COUNTS_TAB, LATENT_TAB, RATES_TAB = "Fewer observations", "A latent coordinate", "Rates and how sure"
INTERACTION_TAB, EVENTS_TAB = "The learned interaction", "Event rates"
_TAKEN = "series taken"


class Taken(NamedTuple):
    """Models that are held still: their configurations and pickled states."""

    configs: tuple[SeriesConfig, ...]
    states: tuple[bytes, ...]


def studies(config: SeriesConfig, runs: list[tuple[str, str]]) -> None:
    """Draw the tabs.

    Args:
        config: of the page's own run.
        runs: (label, token) of it and of what is trained beside it.
    """
    st.subheader("Does it pay?")
    offered = _offered(config)
    if st.session_state.get("study", GAPS_TAB) not in offered:
        st.session_state["study"] = GAPS_TAB
    tabs = st.tabs(list(offered), key="study", bind="query-params", on_change="rerun")
    for tab, draw in zip(tabs, offered.values(), strict=True):
        with tab:
            if tab.open:
                taken = _taken([token for _, token in runs])
                if taken is not None:
                    draw(taken)


def _offered(config: SeriesConfig) -> dict[str, Callable[[Taken], None]]:
    """Which questions can be asked of the page's model."""
    found: dict[str, Callable[[Taken], None]] = {GAPS_TAB: _gaps}
    if not config.direct and config.likelihood == "normal":
        found[COUNTS_TAB] = _counts
    if config.model == "latent_ode":
        found[LATENT_TAB] = _latent
    if config.model in ("lotka_volterra", "universal"):
        found[RATES_TAB] = _rates
    if config.model == "universal":
        found[INTERACTION_TAB] = _interaction
    if config.likelihood == "poisson":
        found[EVENTS_TAB] = _events
    return found


def _gaps(taken: Taken) -> None:
    result: GapsResult | None = _asked("gaps", GapsConfig(taken.configs), *taken.states)
    if result is not None:
        info = gaps_info(result, MODELS)
        code = gaps_snippet(taken.configs[0])
        picture(gaps_figure(info), "study_gaps", info.sentence, code=code)


def _counts(taken: Taken) -> None:
    together = [k for k, config in enumerate(taken.configs) if not config.direct]
    configs = tuple(taken.configs[k] for k in together)
    asked = ObservationsConfig(configs)
    result: ObservationsResult | None = _asked("observations", asked, *(taken.states[k] for k in together))
    if result is not None:
        labels = [MODELS[config.model] for config in configs]
        said = observations_said(result, labels, configs[0].observations)
        picture(said.figure, "study_counts", said.sentence)


def _latent(taken: Taken) -> None:
    config = taken.configs[0]
    coordinate = slide_int("Coordinate of z(t0)", "coordinate", 1, 1, config.latent) - 1
    asked = LatentConfig(config, coordinate)
    result: LatentResult | None = _asked("latent", asked, taken.states[0])
    if result is not None:
        said = latent_said(result, names_of(config))
        picture(said.figure, "study_latent", said.sentence)


def _rates(taken: Taken) -> None:
    result: RatesResult | None = _asked("rates", RatesConfig(taken.configs[0]))
    if result is None:
        return
    said = rates_said(result)
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        picture(said.figure, "study_rates", said.sentence)
    with right:
        st.table(rates_table(result), hide_index=True)


def _interaction(taken: Taken) -> None:
    result: InteractionResult | None = _asked(
        "interaction", InteractionConfig(taken.configs[0]), taken.states[0]
    )
    if result is not None:
        said = interaction_said(result)
        picture(said.figure, "study_interaction", said.sentence)


def _events(taken: Taken) -> None:
    result: EventsResult | None = _asked("events", EventsConfig(taken.configs[0]), taken.states[0])
    if result is not None:
        said = events_said(result)
        picture(said.figure, "study_events", said.sentence)


def _asked(name: str, config: Any, *states: bytes) -> Any:
    return study(f"{_ROOM}.{name}:run", config, *states, time_limit=60.0, spinner="Computing…")


def _taken(tokens: list[str]) -> Taken | None:
    """The models, held still: they are taken anew only when asked for, else each click would compute."""
    with st.container(horizontal=True, vertical_alignment="center"):
        again = st.button(
            "Take the models as they are now", key="series take", icon=":material/photo_camera:"
        )
        word = st.empty()
    runs = live_runs()
    configs = tuple(runs.look(token).config for token in tokens)
    place = tuple((structure(config), config.observations, config.shown, config.edited) for config in configs)
    kept: tuple[Any, Taken] | None = st.session_state.get(_TAKEN)
    if again or kept is None or kept[0] != place:
        states = []
        for token in tokens:
            raw = first_state(token)
            if raw is None:
                return None
            states.append(raw)
        kept = (place, Taken(configs, tuple(states)))
        st.session_state[_TAKEN] = kept
    # Written by our own workers: nobody else can put anything there.
    at = " and ".join(f"{pickle.loads(raw).iteration:,}" for raw in kept[1].states)
    word.caption(f"After {at} iterations.")
    return kept[1]
