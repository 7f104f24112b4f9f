"""Adjoint: gradients that flow backward in time. Controls -> frozen configuration -> studies -> pictures."""

from __future__ import annotations

import streamlit as st

from node_core.solvers.methods import METHODS
from node_core.studies.adjoint.snippets import (
    errors_snippet,
    gradient_snippet,
    horizon_snippet,
    memory_snippet,
    paper_snippet,
)
from node_core.studies.gradients.config import (
    PAPER_METHODS,
    AdjointConfig,
    AdjointResult,
    CheckConfig,
    CheckResult,
    ErrorsConfig,
    ErrorsResult,
    Floats,
    HorizonConfig,
    MemoryConfig,
    MemoryResult,
    PaperConfig,
    PaperResult,
)
from node_core.visualization.adjoint.sentences import (
    all_modes_sentence,
    horizon_sentence,
    plain_name,
    remedy,
    tolerance_sentence,
    watch_sentence,
)
from node_core.visualization.adjoint.way_back import back_figure, back_info, verdict
from node_core.visualization.gradients import (
    backward_share,
    cost_info,
    error_info,
    horizon_info,
    memory_info,
    paper_info,
    seminorm_info,
    seminorm_saving,
)
from node_core.visualization.loglog import LogInfo, log_figure
from pages.ui.adjoint.controls import adjoint_controls, wrong_button
from pages.ui.adjoint.equations import A_T, EQUATION_4, LOSS, equations
from pages.ui.adjoint.player import adjoint_player
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
)
from pages.ui.study import study, tell_where_measured

GRADIENT = "node_core.studies.adjoint.way_back:run"
ERRORS = "node_core.studies.gradients.errors:run"
HORIZONS = "node_core.studies.gradients.errors:run_horizons"
CHECK = "node_core.studies.adjoint.check:run"
MEMORY = "node_core.studies.gradients.memory:run"
PAPER = "node_core.studies.adjoint.paper:run"

ALL_MODES, TOLERANCE, HORIZON, COST, PAPER_FIGURE = (
    "All modes",
    "Tolerance",
    "Horizon",
    "Memory",
    "The paper's Figure 3",
)


def _watch(result: AdjointResult) -> None:
    """The player with what to see in it."""
    spec = result.config.task.spec
    with presented("picture"):
        adjoint_player(result, key="player")
    forward = "Blue" if not result.path.failure else "Grey, the truth,"
    look_for(
        remedy(result),
        f"{forward} goes forward to the loss; then the red arrows a(t), the sensitivity of the loss to the state, flow "
        "backward. Purple is the state that the mode goes back with, drawn farther from the path where the picture "
        f"says so. {watch_sentence(result)}",
    )
    formula_and_code(
        rf"\begin{{gathered}} {LOSS} = \tfrac12 \sum_i \|z(t_i) - z^*\|^2 \\ {spec.latex} \end{{gathered}}",
        gradient_snippet(result.config),
    )


def _table(result: AdjointResult) -> None:
    ways = result.ways
    st.table(
        {
            "Mode": [way.label for way in ways],
            "Gradient": [verdict(way) for way in ways],
            "Error of dL/dz(0)": [_number(way.error_y0) for way in ways],
            "Error of dL/dθ": [_number(way.error_theta) for way in ways],
            "Largest gap": [_number(float(way.gap.max())) if way.gap.size else "—" for way in ways],
            "Steps back": [f"{int(way.attempt_accepted.sum()):,}" if way.t.size else "—" for way in ways],
            "NFE back": [f"{way.nfe:,}" if way.t.size else "—" for way in ways],
        },
        hide_index=True,
    )
    path = result.path
    forward = (
        f"Forward: {path.nfe:,} evaluations, {path.step_t.size - 1:,} steps;" if not path.failure else ""
    )
    st.caption(
        f"Errors are relative to the true gradient ({result.truth.name}). {forward} L = {result.loss:.4g}, and θ holds "
        f"{result.n_theta} {'number' if result.n_theta == 1 else 'numbers'}."
    )


def _number(value: float) -> str:
    return f"{value:.2g}" if abs(value) < float("inf") else "—"


def _numbers(result: AdjointResult) -> None:
    """a(t0) and dL/dtheta by every mode, beside the truth and finite differences."""
    asked = CheckConfig(result.config.task)
    check: CheckResult | None = study(CHECK, asked, time_limit=60.0, spinner="Differencing the loss…")
    names, dim = list(result.config.task.spec.state_names), len(result.config.task.spec.y0)
    entries = [f"a{name[1:]}(t₀) = dL/d{name}(t₀)" for name in names]
    entries += [f"dL/d{plain_name(name)}" for name in result.theta_names]
    rows = [*range(dim), *(dim + int(i) for i in result.shown)]
    columns = {"Entry": entries, "True": _entries(result.truth.gradient[rows])}
    columns |= {
        way.label: _entries(way.gradient[rows]) if way.t.size else ["—"] * len(rows) for way in result.ways
    }
    if check is not None:
        columns["Finite differences"] = _entries(check.differences)
    st.subheader("The gradient in numbers")
    st.table(columns, hide_index=True)
    if check is not None:
        st.caption(
            f"Finite differences share nothing with a way back: L solved at 1e-12 at four points around each number. "
            f"They are {check.error:.0e} off the true gradient, relative to it."
        )


def _entries(values: Floats) -> list[str]:
    return [f"{value:.6g}" for value in values]


def _all_modes(result: AdjointResult) -> None:
    picture(
        back_figure(back_info(result)),
        "ways",
        all_modes_sentence(result),
        EQUATION_4,
        gradient_snippet(result.config),
    )


def _pair(left: LogInfo, right: LogInfo, keys: tuple[str, str]) -> None:
    for column, info, key in zip(st.columns(2), (left, right), keys, strict=True):
        with column:
            st.plotly_chart(log_figure(info), key=key, config={"displaylogo": False})


def _tolerance(config: AdjointConfig) -> None:
    asked = ErrorsConfig(config.task, config.method)
    result: ErrorsResult | None = study(ERRORS, asked, time_limit=90.0, spinner="Going back in every mode…")
    if result is None:
        return
    picture(
        log_figure(error_info(result)),
        "errors",
        tolerance_sentence(result),
        r"\frac{\|\hat g - g\|}{\|g\|}, \qquad \text{finite differences: } "
        r"\frac{L(\theta + h) - L(\theta - h)}{2h} + \mathcal O\!\left(h^2 + \frac{\text{tol}}{h}\right)",
    )
    _pair(cost_info(result, "nfe"), cost_info(result, "seconds"), ("errors_nfe", "errors_time"))
    explain(
        "The same errors against what they cost: differences need two solves for each number of z(0) and θ.",
        r"\text{cost} = \text{NFE}_\text{forward} + \text{NFE}_\text{backward}",
        errors_snippet(asked),
    )
    tell_where_measured(ERRORS, asked)
    if result.note:
        st.caption(result.note)
    _seminorm(result)


def _seminorm(result: ErrorsResult) -> None:
    st.subheader("The seminorm")
    saving = seminorm_saving(result)
    said = ""
    if saving is not None:
        verb = "saves" if saving >= 0 else "costs"
        said = f" Here it {verb} {100 * abs(saving):.0f} % of the steps, over all tolerances."
    picture(
        log_figure(seminorm_info(result), height=360),
        "seminorm",
        "Nothing feeds back from dL/dθ, so its error need not shorten steps: the seminorm leaves it out. How many "
        f"steps that saves depends on whether dL/dθ was what held them back.{said}",
        r"\text{adjoint: } \|[z, a, g]\|_{\text{tol}} \le 1, \qquad \text{seminorm: } \|[z, a]\|_{\text{tol}} \le 1",
        errors_snippet(result.config) if isinstance(result.config, ErrorsConfig) else None,
    )


def _horizon(config: AdjointConfig) -> None:
    asked = HorizonConfig(config.task, config.rtol, config.method)
    result: ErrorsResult | None = study(HORIZONS, asked, time_limit=90.0, spinner="Lengthening the horizon…")
    if result is None:
        return
    picture(
        log_figure(horizon_info(result)),
        "horizons",
        horizon_sentence(result),
        r"\|\delta z(t)\| \approx \|\delta z(T)\|\, e^{\lambda (T - t)} \quad "
        r"\text{where the field contracts at the rate } \lambda",
        horizon_snippet(asked),
    )
    if result.note:
        st.caption(result.note)


def _memory() -> None:
    asked = MemoryConfig()
    result: MemoryResult | None = study(
        MEMORY, asked, time_limit=90.0, spinner="Measuring in processes of their own…"
    )
    if result is None:
        return
    picture(
        log_figure(memory_info(result)),
        "memory",
        "Measured, not estimated: how much a fresh process grew at its peak. Backprop keeps every step's graph, "
        "checkpointed and interpolated only states, the adjoint nothing. "
        f"(rk4, a batch of {asked.batch}, a net of 32 hidden units.)",
        r"\begin{gathered} \text{adjoint: } \mathcal O(1) \\ \text{checkpointed: } \mathcal O(L) \text{ states} \\ "
        r"\text{backprop: } \mathcal O(L) \text{ graphs} \end{gathered}",
        memory_snippet(asked),
    )
    tell_where_measured(MEMORY, asked, "numbers")


def _paper(config: AdjointConfig) -> None:
    method = choose(
        "Solver of Figure 3",
        list(PAPER_METHODS),
        "paper",
        "scipy_adams",
        format_func=lambda m: METHODS[m].label,
    )
    asked = PaperConfig(config.task, method)
    result: PaperResult | None = study(PAPER, asked, time_limit=60.0, spinner="Sweeping the tolerance…")
    if result is None:
        return
    for column, panel, title in zip(
        st.columns(3),
        ("a", "b", "c"),
        ("(a) error of z", "(b) time", "(c) evaluations backward"),
        strict=True,
    ):
        with column:
            st.markdown(f"**{title}**")
            figure = log_figure(paper_info(result, panel), height=380)  # type: ignore[arg-type]
            st.plotly_chart(figure, key=f"paper_{panel}", config={"displaylogo": False})
    share = backward_share(result)
    measured = "" if share is None else f" here it takes {share:.2f} evaluations for each one forward, so"
    explain(
        "(a) Evaluations buy accuracy; (b) time grows with them; (c) the paper found about half as many evaluations "
        f"backward as forward;{measured} that does not hold for every solver and field. "
        "(d), evaluations over training, comes with training.",
        rf"\text{{NFE}}_\text{{backward}} \text{{ counts }} {A_T}\, \partial f / \partial z \text{{ and }} "
        rf"{A_T}\, \partial f / \partial \theta",
    )
    show_code(paper_snippet(asked))
    tell_where_measured(PAPER, asked)
    if result.note:
        st.caption(result.note)


def _studies(config: AdjointConfig, result: AdjointResult | None) -> None:
    """The tabs: only the open one is computed, and none needs the others' results."""
    names = [ALL_MODES, TOLERANCE, HORIZON, COST, PAPER_FIGURE]
    ways, tolerance, horizon, memory, paper = st.tabs(names, key="view", bind="query-params")
    with ways:
        if ways.open and result is not None:
            _all_modes(result)
    with tolerance:
        if tolerance.open:
            _tolerance(config)
    with horizon:
        if horizon.open:
            _horizon(config)
    with memory:
        if memory.open:
            _memory()
    with paper:
        if paper.open:
            _paper(config)


def _page() -> None:
    lesson_header("Adjoint")
    wrong_button()
    stage, controls = picture_and_controls()
    with controls:
        config = adjoint_controls()
    if config is None:
        with stage:
            st.info(
                "Mend the marked value among the controls, and the gradient is computed again.",
                icon=":material/tune:",
            )
        return
    with stage:
        result: AdjointResult | None = study(
            GRADIENT, config, time_limit=60.0, spinner="Forward and backward…"
        )
        if result is not None:
            _watch(result)
    if not rest_may_come():
        return
    equations()
    if result is not None:
        _table(result)
    numbers = st.container()  # which take longer than what stands below
    _studies(config, result)
    if result is not None:
        with numbers:
            _numbers(result)


_page()
