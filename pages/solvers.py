"""Solvers: Euler races adaptive stepping. Controls -> frozen configuration -> studies in a worker -> pictures."""

from __future__ import annotations

import streamlit as st

from node_core.fields.systems.system import System
from node_core.studies.solvers.race_config import (
    OrderConfig,
    OrderResult,
    RaceConfig,
    RaceResult,
    StabilityConfig,
    StabilityResult,
    WorkConfig,
    WorkResult,
)
from node_core.studies.solvers.snippets import order_snippet, race_snippet, stability_snippet, work_snippet
from node_core.visualization.loglog import log_figure
from node_core.visualization.solvers.convergence import order_figure, order_info
from node_core.visualization.solvers.phase_plane import phase_figure, phase_figure_3d, phase_info
from node_core.visualization.solvers.sentences import critical_sentence, race_sentence
from node_core.visualization.solvers.stability import stability_figure, stability_info
from node_core.visualization.solvers.timeline import timeline_figure, timeline_info
from node_core.visualization.solvers.work_precision import work_info
from pages.ui.later import rest_may_come
from pages.ui.layout import (
    choose,
    explain,
    formula_and_code,
    lesson_header,
    look_for,
    picture,
    picture_and_controls,
    presented,
    show_code,
    switch,
)
from pages.ui.live.controls import preset_buttons
from pages.ui.solvers.controls import Choice, race_controls, set_initial_state
from pages.ui.solvers.player import race_player
from pages.ui.solvers.presets import PRESETS
from pages.ui.study import study

RACE = "node_core.studies.solvers.race:run"
ORDER = "node_core.studies.solvers.order:run"
WORK = "node_core.studies.solvers.work:run"
STABILITY = "node_core.studies.solvers.stability:run"

OVER_TIME, STABLE, ORDERS, WORKS, ZOOM = "Over time", "Stability", "Order", "Work and precision", "Zoom"


def _axes(system: System) -> tuple[int, int]:
    """The two components to draw; asked for where the state has more than two."""
    if system.dim <= 2:
        return (0, 1)
    pairs = [(i, j) for i in range(system.dim) for j in range(system.dim) if i < j]
    names = system.state_names
    return choose(
        "Plane",
        pairs,
        f"{system.key}_plane",
        system.plane,
        format_func=lambda p: f"{names[p[0]]}, {names[p[1]]}",
    )


def _race(system: System, result: RaceResult) -> None:
    """The player with what to see in it."""
    stage = presented("picture")  # what it shows is told right below, before what is chosen of it
    look_for(
        race_sentence(result),
        "Every dot is a step, every × a rejected attempt; the wide grey line is the truth. Drag the ring, or click "
        "into the plane, to start elsewhere.",
    )
    if result.reference_note:
        st.caption(result.reference_note)
    axes = _axes(system)

    def pick(x: float, y: float) -> None:
        names = system.state_names
        picked = {names[0]: y} if system.dim == 1 else {names[axes[0]]: x, names[axes[1]]: y}
        set_initial_state(system.key, picked)

    with stage:
        race_player(result, axes, key="race", log_time=system.log_time and system.dim == 1, on_pick=pick)
    formula_and_code(system.latex, race_snippet(result.config, result.cut_at))


def _table(result: RaceResult) -> None:
    """What each method paid, and how it ended."""
    st.table(
        {
            "Method": [lane.label for lane in result.lanes],
            "Status": [lane.status for lane in result.lanes],
            "Final error": [_number(lane.final_error) for lane in result.lanes],
            "NFE": [f"{lane.nfe:,}" for lane in result.lanes],
            "Accepted": [f"{lane.n_accepted:,}" for lane in result.lanes],
            "Rejected": [f"{lane.n_rejected:,}" for lane in result.lanes],
        },
        hide_index=True,
    )
    source = (
        f"the reference ({result.reference_name})"
        if result.reference_name
        else "a reference, which is missing here"
    )
    st.caption(
        f"NFE counts the evaluations of f. The final error is the largest component's distance from {source}."
    )


def _number(value: float) -> str:
    return f"{value:.2g}" if abs(value) < float("inf") else "—"


def _over_time(system: System, result: RaceResult) -> None:
    left, right = st.columns(2)
    with left:
        names = list(system.state_names)
        component = (
            names.index(choose("State", names, f"{system.key}_shown", names[0])) if system.dim > 1 else 0
        )
    with right:
        log_time = switch("Logarithmic time", f"{system.key}_logtime", system.log_time)
    picture(
        timeline_figure(timeline_info(result, component, log_time=log_time)),
        "timeline",
        "Where the state bends, an adaptive method shortens h until its local error estimate is below the dashed "
        "line, its tolerance; a fixed step pays there with global error.",
        r"\left\|\frac{e}{\text{atol} + \text{rtol}\,|y|}\right\| \le 1 \;\Rightarrow\; \text{accept}",
        race_snippet(result.config, result.cut_at),
    )


def _stability(config: RaceConfig) -> None:
    asked = StabilityConfig(config)
    result: StabilityResult | None = study(STABILITY, asked)
    if result is None:
        return
    st.markdown(
        ":material/visibility: Shaded: the steps hλ that a method damps. A × is an hλ of this system outside of it: "
        "what should decay is amplified, a step like that after the other. A ring is an hλ of what grows by itself."
    )
    a_row = 3 if len(result.lanes) == 3 else 2
    for start in range(0, len(result.lanes), a_row):
        shown = range(start, min(start + a_row, len(result.lanes)))
        for column, index in zip(st.columns(a_row), shown, strict=False):
            info = stability_info(result.lanes[index], _lane_index(config, result.lanes[index].method))
            with column:
                st.plotly_chart(
                    stability_figure(info), key=f"stability_{index}", config={"displaylogo": False}
                )
                st.latex(info.formula)
                st.markdown(f"**{info.sentence}**")
                if info.clipped:
                    st.caption(
                        f"{info.clipped} of {info.point_re.size} values lie beyond the picture, drawn at its edge."
                    )
    if result.note:
        st.caption(result.note)
    st.latex(
        # two lines: one is too wide for a phone
        r"\begin{gathered} y_{n+1} = R(h\lambda)\, y_n, \qquad |R(h\lambda)| \le 1, \\"
        r"\lambda \in \operatorname{eig} \frac{\partial f}{\partial y} \end{gathered}"
    )
    show_code(stability_snippet(asked))


def _order(config: RaceConfig) -> None:
    asked = OrderConfig(config.problem, config.methods)
    result: OrderResult | None = study(ORDER, asked)
    if result is None:
        return
    picture(
        order_figure(order_info(result)),
        "order",
        "Halve the step, and the error of a method of order p falls by a factor of 2 to the p: the slope of its line. "
        f"Measured with fixed steps up to t = {result.t_end:.3g}; hollow points are too coarse or at round-off.",
        r"\|y_N - y(t_{\text{end}})\| \approx C\, h^{p}",
        order_snippet(asked),
    )
    if result.note:
        st.caption(result.note)


def _work(config: RaceConfig) -> None:
    asked = WorkConfig(config.problem, config.methods, config.controller, config.max_step, config.tell_jumps)
    result: WorkResult | None = study(WORK, asked, time_limit=60.0)
    if result is None:
        return
    left, right = st.columns(2)
    with left:
        figure = log_figure(work_info(result, "nfe"), height=480)
        st.plotly_chart(figure, key="work_nfe", config={"displaylogo": False})
    with right:
        figure = log_figure(work_info(result, "seconds"), height=480)
        st.plotly_chart(figure, key="work_time", config={"displaylogo": False})
    explain(
        "The lower left wins: for a loose tolerance a cheap method, for a tight one a method of high order.",
        r"\text{error} = \max_{t} \|y(t) - y_{\text{ref}}(t)\|_\infty",
        work_snippet(asked),
    )
    if result.note:
        st.caption(result.note)


def _zoom(system: System, result: RaceResult) -> None:
    sentence = "The same race to zoom into and to hover over: each dot tells its time and place."
    if system.dim == 3:
        picture(
            phase_figure_3d(result),
            "space",
            sentence,
            system.latex,
            race_snippet(result.config, result.cut_at),
        )
        return
    figure = phase_figure(phase_info(result, system.plane if system.dim > 1 else (0, 1)))
    picture(figure, "phase", sentence, system.latex, race_snippet(result.config, result.cut_at))


def _lane_index(config: RaceConfig, method: str) -> int:
    return config.methods.index(method)


def _studies(system: System, result: RaceResult) -> None:
    """The tabs: only the open one is computed."""
    time, stable, orders, works, zoom = st.tabs(
        [OVER_TIME, STABLE, ORDERS, WORKS, ZOOM], key="view", bind="query-params"
    )
    with time:
        if time.open:
            _over_time(system, result)
    with stable:
        if stable.open:
            _stability(result.config)
    with orders:
        if orders.open:
            _order(result.config)
    with works:
        if works.open:
            _work(result.config)
    with zoom:
        if zoom.open:
            _zoom(system, result)


def _page() -> None:
    lesson_header("Solvers")
    preset_buttons(PRESETS)
    stage, controls = picture_and_controls()
    with controls:
        choice: Choice | None = race_controls()
    if choice is None or choice.config is None:
        with stage:
            st.info(
                "Mend the marked value among the controls, and the race starts again.", icon=":material/tune:"
            )
        return
    with stage:
        result: RaceResult | None = study(RACE, choice.config, time_limit=60.0, spinner="Racing…")
        if result is None:
            return
        _race(choice.system, result)
    if choice.under_step is not None and (said := critical_sentence(result)):
        choice.under_step.caption(said)
    if not rest_may_come():
        return
    _table(result)
    _studies(choice.system, result)


_page()
