"""The six panels: what is measured, said and drawn of each limit, and the remedy that is a click away."""

from __future__ import annotations

import streamlit as st

from node_core.data.toy import DATASETS
from node_core.fields.systems.systems import SYSTEMS
from node_core.solvers.methods import METHODS
from node_core.studies.classifier.solver_swap_config import SolverSwapResult
from node_core.studies.gradients.config import MODES, ErrorsResult, MemoryConfig, MemoryResult
from node_core.studies.gradients.fields import FIELDS
from node_core.studies.limits.flows_config import FlowsConfig, FlowsResult
from node_core.studies.limits.gaps_config import SERIES_LABELS, GapsResult
from node_core.studies.limits.questions import GAPS, HORIZON, HORIZONS, KEPT_MODES, SOLVED_MODES, SPEED, SWAPS
from node_core.studies.limits.snippets import (
    flows_snippet,
    gaps_snippet,
    horizons_snippet,
    speed_snippet,
    stiff_snippet,
    swap_snippet,
)
from node_core.studies.limits.speed_config import LABELS, NETS, REMEDIES, SpeedResult
from node_core.studies.limits.stiff_config import MUS, StiffConfig, StiffResult
from node_core.visualization.classifier.solver_swap import swap_figure, swap_info
from node_core.visualization.limits.flows import (
    NAMES,
    common_reach,
    flows_remedy,
    flows_sentence,
    paths_figure,
    paths_info,
)
from node_core.visualization.limits.gaps import gaps_figure, gaps_info, gaps_sentence, short
from node_core.visualization.limits.gradients import (
    adjoint_sentence,
    horizons_info,
    kept_sentence,
    memories_info,
)
from node_core.visualization.limits.speed import (
    evaluations_info,
    price_figure,
    price_info,
    remedy_sentence,
    speed_figure,
    speed_info,
    speed_sentence,
    verdict_sentence,
)
from node_core.visualization.limits.stiff import (
    EXPLICIT,
    IMPLICIT,
    cloud_figure,
    cloud_info,
    implicit_sentence,
    steps_info,
    stiff_sentence,
)
from node_core.visualization.loglog import log_figure
from node_core.visualization.training_curves import curves_figure
from pages.ui.address import Url, set_control
from pages.ui.layout import choose, explain, formula_and_code, look_for, presented, switch
from pages.ui.lessons import LESSONS
from pages.ui.limits.parts import lead_to, mended, options, panel, side_by_side
from pages.ui.study import study, tell_where_measured

SPEED_TASK = "node_core.studies.limits.speed:run"
STIFF_TASK = "node_core.studies.limits.stiff:run"
FLOWS_TASK = "node_core.studies.limits.flows:run"
HORIZONS_TASK = "node_core.studies.gradients.errors:run_horizons"
MEMORY_TASK = "node_core.studies.gradients.memory:run"
GAPS_TASK = "node_core.studies.limits.gaps:run"
SWAP_TASK = "node_core.studies.classifier.solver_swap:run"

HEIGHT = 340
LONG = 120.0  # s that a study may take here
TASKS = {"rings": "two rings", "digits": "digits"}
PRICED = {
    "digits": "digits",
    "rings": "two rings",
    "clean": "spirals, little noise",
    "noisy": "spirals, much noise",
}
SERIES = "Time series"
NOTHING = "none"


def speed_of(task: str) -> SpeedResult | None:
    """What the nets took to learn a task."""
    found: SpeedResult | None = study(SPEED_TASK, SPEED[task], time_limit=LONG, spinner="Training the nets…")
    return found


def memory_of() -> MemoryResult | None:
    """Measured memory of every gradient mode."""
    found: MemoryResult | None = study(MEMORY_TASK, MemoryConfig(), time_limit=LONG, spinner="Measuring…")
    return found


def slow_training(url: Url) -> None:
    """Panel 1."""
    panel(1, "Slow training")
    left, right = st.columns([1, 2], gap="medium")
    with left:
        task = options("Learn", TASKS, "task", url)
    offered = {NOTHING: NOTHING} | {name: LABELS[name].removeprefix("ODE-Net, ") for name in REMEDIES[task]}
    if st.session_state.get("remedy", NOTHING) not in offered:  # of the other task
        set_control("remedy", NOTHING)
    with right:
        remedy = options("Remedy", offered, "remedy", url)
    result = speed_of(task)
    if result is None:
        return
    explain(speed_sentence(result))
    names = (*NETS, *(() if remedy == NOTHING else (remedy,)))
    evaluations = curves_figure(evaluations_info(result, names), height=HEIGHT)
    side_by_side(
        (speed_figure(speed_info(result, names), height=HEIGHT), "speed", "Right answers against time"),
        (evaluations, "evaluations", "Evaluations of f forward in each iteration"),
    )
    mended(
        "Choose a remedy to see its run beside: a looser tolerance, or a penalty that keeps the paths straight. Flow "
        "matching, which solves nothing while it trains, is for densities: see CNF."
        if remedy == NOTHING
        else remedy_sentence(result, remedy)
    )
    with st.container(horizontal=True):
        lead_to("ODE-Net", "Train with a regulariser", reg="kinetic energy")
        lead_to("CNF", "Train flows without solving: flow matching", show="four trainings")
    tell_where_measured(SPEED_TASK, SPEED[task])
    formula_and_code(
        r"\text{cost} = (\text{NFE}_{\rightarrow} + \text{NFE}_{\leftarrow}) \cdot \text{cost of } f",
        speed_snippet(SPEED[task]),
    )


def stiffness(url: Url) -> None:
    """Panel 2."""
    panel(2, "Stiffness")
    left, right = st.columns(2, gap="medium")
    with left, presented("slider"):
        mu = st.select_slider(
            "μ", MUS, MUS[-1], key="mu", format_func=lambda v: f"{v:g}", bind="query-params"
        )
        url.note("mu", mu)
    with right:
        method = options("Method", {EXPLICIT: "explicit", IMPLICIT: "implicit beside"}, "way", url)
    asked = StiffConfig()
    result: StiffResult | None = study(STIFF_TASK, asked, time_limit=LONG, spinner="Solving…")
    if result is None:
        return
    look_for(stiff_sentence(result, mu))
    methods = (EXPLICIT,) if method == EXPLICIT else (EXPLICIT, IMPLICIT)
    on_region = f"hλ on the region of {METHODS[method].label}, μ = {mu:g}"
    side_by_side(
        (
            log_figure(steps_info(result, methods), height=HEIGHT),
            "steps",
            f"Steps up to t = {asked.span:g} μ: van der Pol, and a net that learned it",
        ),
        (cloud_figure(cloud_info(result, method, mu), height=HEIGHT), f"cloud_{method}", on_region),
        present=True,
    )
    mended(
        "Choose the implicit method to see it beside."
        if method == EXPLICIT
        else implicit_sentence(result, mu)
    )
    with st.container(horizontal=True):
        lead_to(
            "Solvers",
            "Race both",
            system=SYSTEMS["van_der_pol"].name,
            van_der_pol_mu=f"{mu:g}",
            stiff_methods=[METHODS[name].label for name in (EXPLICIT, IMPLICIT)],
        )
        lead_to(
            "ODE-Net",
            "A net that learned to leap",
            method=METHODS["euler"].label,
            start="By two Euler steps",
            lr="0.02",
            dt="0.5",
        )
    formula_and_code(
        r"\begin{gathered} \ddot x = \mu\,(1 - x^2)\,\dot x - x \\ |R(h\lambda)| \le 1, \quad "
        r"\lambda \in \operatorname{eig} \tfrac{\partial f}{\partial y} \end{gathered}",
        stiff_snippet(asked),
    )


def gradients(url: Url) -> None:
    """Panel 3."""
    panel(3, "Wrong gradients")
    left, right = st.columns(2, gap="medium", vertical_alignment="bottom")
    with left:
        field = choose("Field", list(FIELDS), "field", "learned", format_func=lambda key: FIELDS[key].name)
        url.note("field", FIELDS[field].name)
    with right:
        kept = switch("Keep the forward states", "kept")
        url.note("kept", kept)
    asked = HORIZONS[field]
    result: ErrorsResult | None = study(HORIZONS_TASK, asked, time_limit=LONG, spinner="Going back…")
    memory = memory_of()
    if result is None or memory is None:
        return
    explain(adjoint_sentence(result))
    modes = (*SOLVED_MODES, *KEPT_MODES) if kept else SOLVED_MODES
    errors = log_figure(horizons_info(result, modes), height=HEIGHT)
    side_by_side(
        (errors, "horizons", "Error of the gradient against the horizon T"),
        (log_figure(memories_info(memory, modes), height=HEIGHT), "memory", "Memory against the steps L"),
    )
    mended(
        kept_sentence(result, memory)
        if kept
        else "Switch on the modes that keep the forward states: interpolated and checkpointed."
    )
    with st.container(horizontal=True):
        lead_to(
            "Adjoint",
            "See it lose its way",
            field=FIELDS[field].name,
            horizon=f"{HORIZON:g}",
            rtol=f"{asked.rtol:g}",
            modes=[MODES[mode] for mode in asked.modes],
        )
    formula_and_code(
        r"\begin{gathered} \|\delta z(t)\| \approx \|\delta z(T)\|\, e^{\lambda (T - t)} \\ "
        r"\text{where } f \text{ contracts at the rate } \lambda \end{gathered}",
        horizons_snippet(asked),
    )


def not_a_flow(url: Url) -> None:
    """Panel 4."""
    panel(4, "Not every function is a flow")
    left, right = st.columns(2, gap="medium")
    with left:
        data = options("Data", {"sign_flip": "sign flip", "annulus": "annulus"}, "flow", url)
    with right:
        besides = {"augmented": "one more dimension", "resnet": "a ResNet"}
        beside = options("Beside it", besides, "beside", url)
    asked = FlowsConfig(data)  # type: ignore[arg-type]
    result: FlowsResult | None = study(FLOWS_TASK, asked)
    if result is None:
        return
    explain(flows_sentence(result))
    names = ("plain", beside)
    reach = common_reach(result, names)
    side_by_side(
        *(
            (paths_figure(paths_info(result.net(name), reach), height=HEIGHT), f"paths_{k}", NAMES[name])
            for k, name in enumerate(names)
        )
    )
    mended(flows_remedy(result, beside))
    with st.container(horizontal=True):
        lead_to(
            "ODE-Net", "Train them side by side", data=DATASETS[data].label, beside=list(besides.values())
        )
    formula_and_code(
        r"\begin{gathered} y_1(0) \ne y_2(0) \implies y_1(t) \ne y_2(t) \\ "
        r"\text{augmented: } y(0) = [x, 0] \end{gathered}",
        flows_snippet(asked),
    )


def not_always_better(url: Url) -> None:
    """Panel 5."""
    panel(5, "Not always better")
    chosen = options("Task", PRICED, "prices", url)
    if chosen in TASKS:
        _beside_nets(chosen)
    else:
        _beside_splines(chosen)
    mended(
        "The other way is the remedy: where time is not continuous and memory not short, take what is cheaper."
    )
    with st.container(horizontal=True):
        lead_to("Architectures", "Train Table 1 yourself")
        if any(lesson.title == SERIES for lesson in LESSONS):
            lead_to(SERIES, "Fill gaps yourself")
    formula_and_code(None, speed_snippet(SPEED[chosen]) if chosen in TASKS else gaps_snippet(GAPS[chosen]))


def _beside_nets(task: str) -> None:
    result = speed_of(task)
    if result is None:
        return
    explain(verdict_sentence(result))
    left, right = st.columns([1.2, 1], gap="medium", vertical_alignment="center")
    with left:
        figure = price_figure(price_info(result), height=HEIGHT)
        side_by_side((figure, f"price_{task}", "What the others cost beside the ODE-Net (1, dashed)"))
    with right:
        _table(result)


def _beside_splines(chosen: str) -> None:
    asked = GAPS[chosen]
    result: GapsResult | None = study(GAPS_TASK, asked, time_limit=LONG, spinner="Training on series…")
    if result is None:
        return
    explain(gaps_sentence(result))
    left, right = st.columns([1.2, 1], gap="medium", vertical_alignment="center")
    with left:
        figure = gaps_figure(gaps_info(result), height=HEIGHT)
        side_by_side((figure, f"gaps_{chosen}", "Errors on series for testing"))
    with right:
        st.table(
            {
                "Way": [SERIES_LABELS[way.name] for way in result.ways],
                "Between": [short(way.inside) for way in result.ways],
                "After": [short(way.beyond) for way in result.ways],
                "Parameters": [f"{way.parameters:,}" if way.parameters else "—" for way in result.ways],
                "Time": [f"{way.seconds:.2g} s" for way in result.ways],
            },
            hide_index=True,
        )
    tell_where_measured(GAPS_TASK, asked)


def _table(result: SpeedResult) -> None:
    lanes = [result.lane(name) for name in NETS]
    firsts = [lane.reached(result.config.target) for lane in lanes]
    st.table(
        {
            "Net": [LABELS[lane.name] for lane in lanes],
            "Right": [f"{lane.accuracy[-1]:.1%}" for lane in lanes],
            "Parameters": [f"{lane.parameters:,}" for lane in lanes],
            f"Time to {result.config.target:.0%}": [
                "—" if k is None else f"{lane.seconds[k]:.2g} s"
                for lane, k in zip(lanes, firsts, strict=True)
            ],
            "Time in all": [f"{lane.seconds[-1]:.2g} s" for lane in lanes],
        },
        hide_index=True,
    )


def part_of_the_model(url: Url) -> None:
    """Panel 6."""
    panel(6, "The solver is part of the model")
    trained = options("Trained with", {name: name for name in SWAPS}, "trained", url)
    asked = SWAPS[trained]
    result: SolverSwapResult | None = study(SWAP_TASK, asked, time_limit=LONG, spinner="Swapping solvers…")
    if result is None:
        return
    explain(f"{result.sentence} (Ott et al. 2021, ResNet after all.)")
    with st.columns([1.6, 1])[0]:
        figure = swap_figure(swap_info(result), height=HEIGHT + 20)
        side_by_side((figure, "swap", "Accuracy of the same weights with other solvers and steps"))
    mended(
        "Choose a finer solver for the training, and swap it afterwards: where the accuracy moves, the step was too "
        "long."
        if result.verdict == "not an ode"
        else f"Trained so, the answer hangs on the solver no longer: {result.trained.accuracy:.1%} with its own in "
        f"{result.trained.nfe} evaluations, {result.reference.accuracy:.1%} solved accurately in "
        f"{result.reference.nfe}."
    )
    with st.container(horizontal=True):
        lead_to("ODE-Net", "Swap the solver of a net that you train", study="Solver swap")
    formula_and_code(
        r"\text{an ODE} \implies \text{acc}(h_\text{train}) \approx \text{acc}(h \to 0)",
        swap_snippet(asked),
    )
