"""Below the CNF page's live picture: Theorem 1, the audit, the race and the cost; only the open tab works."""

from __future__ import annotations

import streamlit as st

from node_core.cnf.targets import TARGETS
from node_core.runs.snapshot import unpack
from node_core.studies.cnf.area_config import AreaConfig, AreaResult
from node_core.studies.cnf.audit_config import CNFAuditConfig, CNFAuditResult
from node_core.studies.cnf.cost_config import WAYS, CNFCostConfig, CNFCostResult
from node_core.studies.cnf.race_config import RACE_TARGET, load_race
from node_core.studies.cnf.snippets import (
    area_snippet,
    audit_snippet,
    cost_snippet,
    runner_snippet,
    theorem_snippet,
)
from node_core.training.flow.config import PARTICLES, CNFConfig
from node_core.visualization.cnf.area import area_figure, area_info
from node_core.visualization.cnf.flow import (
    band_figure,
    cost_figure,
    round_trip_figure,
    theorem_figure,
    theorem_info,
)
from node_core.visualization.cnf.race import densities_figure, learned_figure, race_figure
from pages.ui.address import Url, sentence, set_control
from pages.ui.cnf.controls import take_runner
from pages.ui.layout import explain, picture, slide, slide_int, slide_log
from pages.ui.live.chart import live_chart
from pages.ui.live.controls import show_complaints
from pages.ui.live.feed import refreshing
from pages.ui.live.run import live_runs
from pages.ui.study import shipped, study, tell_where_measured

AREA = "node_core.studies.cnf.area:run"
AUDIT, COST = "node_core.studies.cnf.audit:run", "node_core.studies.cnf.cost:run"
THEOREM_TAB, AREA_TAB, AUDIT_TAB, RACE_TAB, COST_TAB = "Theorem 1", "Why a trace", "Audit", "Race", "Cost"
THEOREM = r"\frac{d \log p(z(t))}{dt} = -\operatorname{tr} \frac{\partial f}{\partial z(t)}, \qquad " + (
    r"\log p(z(t_1)) = \log p(z(t_0)) - \int_{t_0}^{t_1} \operatorname{tr} \frac{\partial f}{\partial z}\, dt"
)
AREAS = r"\det(I + \varepsilon J) = 1 + \varepsilon \operatorname{tr} J + \varepsilon^2 \det J, \qquad " + (
    r"J = \frac{\partial f}{\partial z}(t, z)"
)
WHOLE = r"\int p(x)\, dx = 1, \quad T(T^{-1}(x)) = x, \quad \mathbb{E}[\epsilon^\top J \epsilon] = \operatorname{tr} J"
KL = r"\mathrm{KL}(q \,\|\, p) = \mathbb{E}_{q}[\log q(x) - \log p(x)]"
CHANGE = r"\log\left|\det \frac{\partial T}{\partial z}\right| \sim d^3 \qquad \text{against} \qquad " + (
    r"\operatorname{tr} \frac{\partial f}{\partial z} \sim d"
)


def cnf_studies(config: CNFConfig, token: str) -> None:
    """Draw the tabs."""
    theorem, area, audit, race, cost = st.tabs(
        [THEOREM_TAB, AREA_TAB, AUDIT_TAB, RACE_TAB, COST_TAB],
        key="study",
        bind="query-params",
        on_change="rerun",
    )
    with theorem:
        if theorem.open:
            _theorem(config, token)
    with area:
        if area.open:
            _area(config, token)
    with audit:
        if audit.open:
            _audit(config, token)
    with race:
        if race.open:
            _race()
    with cost:
        if cost.open:
            _cost()


def take_particle() -> None:
    """Follow the particle that was clicked in the live picture (in its callback)."""
    picked = st.session_state["view"].picked
    if isinstance(picked, int) and 0 <= picked < PARTICLES:
        set_control("particle", picked)


def _theorem(config: CNFConfig, token: str) -> None:
    if not _has_time(config):
        return
    url = Url(later=True)
    particle = _particle(url)
    show_complaints(url)
    st.fragment(_theorem_chart, run_every=refreshing(token, 1.0))(token, particle)
    explain(
        "Where the field contracts, the trace is negative and the density rises (warm area); where it spreads, the "
        "density falls. The area is exactly what log p has changed by: no determinant anywhere.",
        THEOREM,
        theorem_snippet(config, particle),
    )


def _theorem_chart(token: str, particle: int) -> None:
    runs = live_runs()
    message = runs.poll(token).snapshot if token in runs else None
    info = None if message is None else theorem_info(unpack(message).arrays, particle, f"{token} {particle}")
    if info is None:
        st.info("The first picture is on its way.", icon=":material/hourglass_empty:")
        return
    live_chart(theorem_figure(info), "theorem", "Theorem 1: minus the trace and log p along one path")


def _has_time(config: CNFConfig) -> bool:
    if config.flow == "cnf":
        return True
    st.info(
        "This flow has layers instead of time: choose a CNF to see its density change along a path.",
        icon=":material/info:",
    )
    return False


def _particle(url: Url) -> int:
    particle = slide_int("Particle (or click one above)", "particle", 0, 0, PARTICLES - 1)
    url.note("particle", particle)
    return particle


def _area(config: CNFConfig, token: str) -> None:
    if not _has_time(config):
        return
    url = Url(later=True)
    first, second, third = st.columns(3)
    with first:
        particle = _particle(url)
    with second:
        t = slide("Time t", "at", 0.5, 0.0, 1.0, 0.05)
    with third:
        eps = slide_log("Step ε", "eps", 0.1, 0.01, 1.0)
    url.note("at", t)
    url.note("eps", eps)
    show_complaints(url)
    asked = AreaConfig(config, particle, min(t, config.t1))
    st.fragment(_area_now, run_every=refreshing(token, 2.0))(asked, eps, token)


def _area_now(asked: AreaConfig, eps: float, token: str) -> None:
    runs = live_runs()
    state = runs.state(token) if token in runs else None
    if state is None:
        st.info("The run is about to begin.", icon=":material/hourglass_empty:")
        return
    result: AreaResult | None = study(AREA, asked, state)
    if result is None:
        return
    info = area_info(result, eps)
    left, right = st.columns([1.3, 1], gap="medium")
    with left:
        live_chart(area_figure(info), "area", "A small square, and its image under I + εJ")
    with right:
        st.metric("Area: det(I + εJ)", f"{info.area:.4f}")
        st.metric("1 + ε tr J", f"{info.linear:.4f}")
        st.metric("Difference: ε² det J", f"{info.rest:+.4f}")
    explain(info.sentence, AREAS, area_snippet(asked.run, asked.particle, asked.t, eps))


def _audit(config: CNFConfig, token: str) -> None:
    st.fragment(_audit_now, run_every=refreshing(token, 8.0))(config, token)
    explain(
        "A flow that is solved well keeps its promises: the density sums to 1, what goes to the noise comes back, and "
        "the estimated trace is right on average. Loosen the tolerance while it trains and see which breaks first.",
        WHOLE,
        audit_snippet(config),
    )


def _audit_now(config: CNFConfig, token: str) -> None:
    runs = live_runs()
    state = runs.state(token) if token in runs else None
    if state is None:
        st.info("The run is about to begin.", icon=":material/hourglass_empty:")
        return
    result: CNFAuditResult | None = study(
        AUDIT, CNFAuditConfig(config), state, time_limit=60.0, spinner="Summing the density…"
    )
    if result is None:
        return
    columns = st.columns(4)
    own = result.checks[0]
    columns[0].metric("Integral of p", f"{own.integral:.4f}")
    columns[1].metric("Worst round trip", f"{own.round_trip[-1]:.1e}")
    columns[2].metric("Mean log q (nats)", f"{result.likelihood:.3f}")
    missing = "–" if result.best is None else f"{result.best - result.likelihood:.3f}"
    columns[3].metric("Below the best possible", missing)
    st.table(
        {
            "Solved by": [check.label for check in result.checks],
            "Integral of p": [f"{check.integral:.5f}" for check in result.checks],
            "Median round trip": [
                f"{check.round_trip[len(check.round_trip) // 2]:.1e}" for check in result.checks
            ],
            "Worst round trip": [f"{check.round_trip[-1]:.1e}" for check in result.checks],
            "NFE": [check.nfe or "–" for check in result.checks],
        },
        hide_index=True,
    )
    left, right = st.columns(2)
    with left:
        st.markdown("**There and back**")
        live_chart(round_trip_figure(result), "round_trip", "Distance after a round trip to the noise")
    figure = band_figure(result)
    with right:
        if figure is not None:
            st.markdown("**The exact trace and Hutchinson's estimate**")
            live_chart(figure, "band", "Log p along a path: exact and estimated")
    st.caption(f"After {result.iteration:,} iterations.")


def _race() -> None:
    try:
        race = load_race()
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
        return
    name = TARGETS[race.target].label
    st.markdown(
        f"**Planar flows against continuous ones on {name}**, the same {race.iterations:,} iterations each"
    )
    picture(
        densities_figure(race),
        "race_densities",
        "A planar flow adds one bend a layer; a continuous one with a single hidden layer moves everything at once "
        "and fits better for M = K, as the paper claims (Chen et al. 2018, Fig. 4; there the planar flows trained "
        "fifty times as long). But its M units cost far more numbers, and KL = 0.69 = log 2 means that a flow has "
        "found one of the two sides: this direction of the divergence forgives that.",
        KL,
        runner_snippet("cnf", 8),
    )
    left, right = st.columns([1.4, 1], gap="medium")
    with left:
        st.plotly_chart(race_figure(race), key="race_curves", config={"displaylogo": False})
    with right:
        st.table(
            {
                "Flow": [
                    f"{'planar, K' if r.flow == 'planar' else 'CNF, M'} = {r.size}" for r in race.runners
                ],
                "Numbers": [f"{r.parameters:,}" for r in race.runners],
                "KL (nats)": [f"{r.kl:.3f}" for r in race.runners],
            },
            hide_index=True,
        )
    st.markdown("Train it yourself:")
    with st.container(horizontal=True):
        for runner in race.runners:
            letter = "K" if runner.flow == "planar" else "M"
            st.button(
                f"{'Planar' if runner.flow == 'planar' else 'CNF'}, {letter} = {runner.size}",
                key=f"train_{runner.flow}_{runner.size}",
                on_click=take_runner,
                args=(runner.flow, runner.size, RACE_TARGET),
            )
    st.markdown("**From noise to data** (Fig. 5)")
    for learned in race.learned:
        st.plotly_chart(
            learned_figure(learned, race.extent),
            key=f"learned_{learned.target}",
            config={"displayModeBar": False},
        )
        st.caption(
            f"{TARGETS[learned.target].label}: nats above the entropy, the least possible (± 0.02, the samples' own "
            f"chance): {_gap(learned.gaps[0])} for the CNF, {_gap(learned.gaps[1])} for the planar flow of 32 layers."
        )


def _gap(value: float) -> str:
    return f"{value:.2f}" if value >= 0.02 else "none to be seen"


def _cost() -> None:
    asked = CNFCostConfig()
    result: CNFCostResult | None = study(COST, asked, time_limit=60.0, spinner="Measuring…")
    if result is None:
        return
    when = "Recorded beforehand" if shipped(COST, asked) else "Measured now"
    last = {way: result.seconds[way][-1] for way in WAYS}
    matrix, closed, autograd, estimate = WAYS
    picture(
        cost_figure(result),
        "cost",
        f"{when}, in processor time (the least of {result.config.repeats}): in {result.dims[-1]} dimensions the "
        "determinant of a free-form map costs "
        f"{last[matrix] / last[closed]:.0f} times the trace in closed form and "
        f"{last[matrix] / last[estimate]:.0f} times Hutchinson's estimate; the exact trace by autograd costs "
        f"{last[autograd] / last[matrix]:.1f} determinants. The determinant's d³ is still far off at these sizes "
        f"(measured: d to the power {result.slopes[matrix]:.1f}): what costs is the Jacobian itself.",
        CHANGE,
        cost_snippet(),
    )
    tell_where_measured(COST, asked)
