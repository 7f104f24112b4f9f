"""The same field, four trainings, side by side: their controls, their runs, and what they have come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from node_core.runs.scheduler import LiveRuns
from node_core.runs.snapshot import unpack
from node_core.studies.cnf.snippets import ways_snippet
from node_core.training.flow.config import CNFConfig
from node_core.training.flow.ways import EULER_STEPS, WAYS, start_of
from node_core.visualization.cnf.ways import (
    WayInfo,
    energy_figure,
    nll_info,
    sentences,
    way_info,
    ways_table,
)
from node_core.visualization.training_curves import curves_figure
from pages.ui.address import Url, sentence
from pages.ui.cnf.controls import (
    BASES,
    RANDOM,
    RATES,
    SIZES,
    TARGET_NAMES,
    TRAINED,
    ask_target,
    one_of,
)
from pages.ui.cnf.lesson import WAYS_LESSON
from pages.ui.layout import choose, explain, look_for, presented, switch, whole_number
from pages.ui.live.chart import following_chart
from pages.ui.live.controls import TOLERANCES, Preset, scale, show_complaints
from pages.ui.live.feed import refreshing
from pages.ui.live.run import live_controls, live_runs, live_view

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MATCHING = (
    r"\min_\theta\, \mathbb{E}_{t,\, z,\, x} \Big\| f_\theta\big(t, (1 - t) z + t x\big) - (x - z) \Big\|^2, \qquad "
    r"z \sim \mathcal{N}(0, I), \quad x \sim \text{data}"
)
WATCH = (
    "One field, the same noise, four trainings: the dots are samples in so many Euler steps, the lines exact paths, "
    "blue where they stay on their chord and orange where they leave it. Begin with 1 step."
)
ABOUT = {
    "likelihood": "an ODE is solved",
    "matching": "straight lines as drawn",
    "transport": "lines of the least length",
    "reflow": "its own ends, joined again",
}
HEIGHT = 330
_CHART = 300


def _preset(target: str, steps: int) -> Preset:
    plain = {"width": 64, "base": "normal", "seed": 0, "lr": 0.005, "rtol": 1e-3, "begin": TRAINED}
    return Preset(TARGET_NAMES[target], {"target": target, "euler": steps, "reflow": True, **plain})


PRESETS = {
    target: _preset(target, steps)
    for target, steps in (("eight_gaussians", 1), ("two_moons", 1), ("checkerboard", 2))
}
"""Those that were trained beforehand."""


@dataclass(frozen=True)
class Asked:
    """What the widgets describe: what all four have in common, and which of them have begun to be straightened."""

    config: CNFConfig
    trained: bool
    reflow: bool

    def configs(self) -> dict[str, CNFConfig]:
        """The configuration of each way, by its name."""
        found = {}
        for way in WAYS:
            objective = way.objective if way.objective != "reflow" or self.reflow else "flow_matching"
            start = start_of(self.config, way) if self.trained else ""
            found[way.name] = replace(self.config, objective=objective, start=start)
        return found


def four_ways() -> None:
    """Draw the whole of it below the presets; the controls, read first, stand below the pictures."""
    above = st.container()
    with st.container(border=True):
        asked = _last_good(ways_controls())
    configs = asked.configs()
    with above:
        tokens = dict(zip(configs, WAYS_LESSON.runs(configs), strict=True))
        steps = _stage(tokens, configs)
        look_for(WATCH)
    _results(tokens, steps, asked)
    explain(
        "With no ODE solved, the field learns the velocity of the straight line from a point of noise to a sample. "
        "Where many lines cross it can only learn their mean, and its paths bend; pairs that optimal transport or the "
        "flow itself has joined hardly cross. It is the same field, so that its likelihood is known as ever. Deviation "
        "is the mean of |dz/dt − (z(1) − z(0))|² along the paths (Liu et al. 2023); the energy distance of two clouds "
        "is 0 where they have one density.",
        MATCHING,
        ways_snippet(asked.config),
    )


def ways_controls() -> Asked | None:
    """Ask for what all four have in common; None, and a sentence, where a value can't be used."""
    url = Url()
    st.markdown(
        "**All four** :gray[a change of the target, the noise, the width or the seed begins new runs]"
    )
    first, second, third, fourth = st.columns(4, gap="medium")
    with first:
        target = ask_target(url)
        base = choose("Noise", list(BASES), "base", "normal", format_func=BASES.__getitem__)
        url.note("base", BASES[base])
    with second:
        width = int(scale("Width", "width", 64, SIZES, url))
        seed = whole_number("Seed", "seed", 0, 0, 9999)
        url.note("seed", seed)
    with third:
        lr = scale("Learning rate", "lr", 0.005, RATES, url)
        rtol = scale("Tolerance", "rtol", 1e-3, TOLERANCES, url)
    asked = None
    try:
        config = CNFConfig(target, hidden=(width, width), base=base, seed=seed, lr=lr, rtol=rtol, atol=rtol)  # type: ignore[arg-type]
        asked = Asked(config, False, False)
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
    with fourth:
        ready = asked is not None and all(start_of(asked.config, way) for way in WAYS)
        begin = one_of("Weights at the start", (TRAINED, RANDOM), "begin", url, disabled=not ready)
        trained = ready and begin == TRAINED
        reflow = _ask_reflow(trained, url)
    show_complaints(url)
    return None if asked is None else replace(asked, trained=trained, reflow=reflow)


def _ask_reflow(trained: bool, url: Url) -> bool:
    """Whether the fourth learns its own pairs: trained beforehand it does, else only when it is told to."""
    key = "reflow" if trained else "straighten"
    chosen = switch(
        "Straighten the fourth",
        key,
        trained,
        help="Until then it is trained by flow matching. Then its own flow, as it is at that moment, carries 20,000 "
        "points of noise, and it learns the straight lines between their ends. Off and on again, it is straightened "
        "again.",
    )
    url.note(key, chosen)
    return chosen


def _last_good(asked: Asked | None) -> Asked:
    """What the widgets describe, or described last: nothing is lost by a mistake."""
    key = "cnf four ways"
    kept = asked or st.session_state.get(key)
    if not isinstance(kept, Asked):
        kept = Asked(WAYS_LESSON.default, False, False)
    st.session_state[key] = kept
    return kept


def _stage(tokens: Mapping[str, str], configs: Mapping[str, CNFConfig]) -> int:
    """Buttons, the number of Euler steps, and the canvases; returns that number."""
    left, right = st.columns([1.3, 1], gap="medium", vertical_alignment="bottom")
    with left:
        # Each as fast as it can: an iteration of one costs ten of another.
        live_controls(*tokens.values(), in_step=False)
    with right, presented("slider"):
        steps = st.select_slider(
            "Euler steps of the samples", EULER_STEPS, EULER_STEPS[0], key="euler", bind="query-params"
        )
    for k, (column, way) in enumerate(zip(st.columns(len(WAYS), gap="small"), WAYS, strict=True)):
        with column, presented("picture", f"way_{way.name}"):
            about = ABOUT[way.name]
            if way.objective == "reflow" and configs[way.name].objective != "reflow":
                about = "not yet straightened"
            st.markdown(f"**{way.label}**  \n:gray[{about}]")
            live_view(
                tokens[way.name],
                height=HEIGHT,
                views=("plane",),
                layers=("boundary", "points", "paths"),
                offered=("boundary", "points", "paths"),
                key=f"view_{way.name}",
                follows=k == 0,
                subject=way.label,
                euler=steps,
            )
    return int(steps)


def _results(tokens: Mapping[str, str], steps: int, asked: Asked) -> None:
    runs, pairs = live_runs(), tuple(tokens.items())
    every = [seconds for token in tokens.values() if (seconds := refreshing(token, 3.0)) is not None]
    st.fragment(_told, run_every=min(every) if every else None)(pairs, steps)
    charts = (
        (partial(_nll, runs, pairs), "ways_nll", "NLL of held-out samples against processor time"),
        (
            partial(_energy, runs, pairs, steps),
            f"ways_energy_{steps}",
            "Energy distance of samples in few Euler steps",
        ),
    )
    for column, (make, key, label) in zip(st.columns(2, gap="medium"), charts, strict=True):
        with column:
            following_chart(make, list(tokens.values()), key, label)


def _told(pairs: tuple[tuple[str, str], ...], steps: int) -> None:
    """Table and sentences, as the runs stand."""
    ways = _ways(live_runs(), pairs)
    if len(ways) < len(pairs):
        st.info("The first pictures are on their way.", icon=":material/hourglass_empty:")
        return
    st.table(ways_table(ways, steps), hide_index=True)
    for text in sentences(ways, steps):
        st.markdown(f"- {text}")


def _ways(runs: LiveRuns, pairs: tuple[tuple[str, str], ...]) -> list[WayInfo]:
    """Those that have a picture."""
    found = []
    for name, token in pairs:
        view = runs.poll(token) if token in runs else None
        if view is not None and view.snapshot is not None:
            found.append(way_info(name, unpack(view.snapshot).scalars, runs.history(token)))
    return found


def _nll(runs: LiveRuns, pairs: tuple[tuple[str, str], ...]) -> Figure:
    ways = _ways(runs, pairs)
    best = next((way.nll - way.gap for way in ways if way.gap is not None), None)
    return curves_figure(nll_info(ways, best, " ".join(token for _, token in pairs)), height=_CHART)


def _energy(runs: LiveRuns, pairs: tuple[tuple[str, str], ...], steps: int) -> Figure:
    return energy_figure(_ways(runs, pairs), steps, _CHART)
