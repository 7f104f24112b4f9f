"""The controls of the Solvers lesson: every value in the URL, and a sentence about what the URL held in vain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from node_core.fields.formula.formula import parse_field
from node_core.fields.formula.parser import FormulaError
from node_core.fields.systems.system import Parameter, System
from node_core.fields.systems.systems import SYSTEMS
from node_core.solvers.methods import METHODS
from node_core.studies.solvers.race_config import FORMULA, MAX_FIXED_STEPS, Problem, RaceConfig
from node_core.studies.solvers.shipped import FIRST_METHODS, FIRST_SYSTEM
from pages.ui.address import Url, sentence, set_control
from pages.ui.layout import choose, log_grid, presented, switch

DEFAULT_STIFF_METHODS = ("euler", "dopri5", "rodas5p")
# steps at which the first look at a system already shows something; others start at about T / 200
EXAMPLE = {"x": "y", "y": "mu*(1 - x^2)*y - x"}
MANTISSAS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
FAR = 1e6


@dataclass(frozen=True)
class Choice:
    """What the controls say: the configuration, or None where a value can't be used (the sentence is on the page).

    `under_step` is the place below the step size, None where no method has one.
    """

    system: System
    config: RaceConfig | None
    under_step: DeltaGenerator | None = None


def race_controls() -> Choice | None:
    """Draw the controls; None where a typed formula can't be read (its error is shown beside it)."""
    url = Url()
    keys = [*SYSTEMS, FORMULA]
    names = {**{key: system.name for key, system in SYSTEMS.items()}, FORMULA: "Your own field"}
    key = choose("System", keys, "system", FIRST_SYSTEM, format_func=lambda k: names[k])
    url.note("system", names[key])
    formulas: tuple[tuple[str, str], ...] = ()
    jumps: tuple[float, ...] = ()
    if key == FORMULA:
        typed = _typed_field()
        if typed is None:
            return None
        system, formulas = typed
        found = () if system.autonomous else _typed_jumps()
        if found is None:
            return None
        jumps = found
    else:
        system = SYSTEMS[key]
    parameters = tuple((p.name, _parameter(key, p, url)) for p in system.parameters)
    frame = system.frame(**dict(parameters))
    methods = _methods(frame.stiff, url)
    slot = st.container()
    with st.expander("Initial state and time span", icon=":material/tune:"):
        y0 = tuple(
            _initial(key, name, value, url) for name, value in zip(system.state_names, system.y0, strict=True)
        )
        t_span = _time_span(key, frame.t_span, url)
    with slot:
        dt, rtol, controller, under_step = _steps(key, system, methods, t_span, url)
        max_step = _longest(key, system, methods, url)
        told = _told(key, jumps or system.field(**dict(parameters)).jumps, url)
    complaints = url.complaints()
    if complaints:
        st.warning("  \n".join(complaints), icon=":material/link_off:")
    try:
        problem = Problem(key, y0, t_span, parameters, formulas, system.atol_ratio, jumps)
        config = RaceConfig(problem, methods, dt, rtol, controller, max_step, told)
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
        return Choice(system, None)
    if len(methods) < 2:
        st.info("Choose at least two methods to let them race.", icon=":material/flag:")
    return Choice(system, config, under_step)


def set_initial_state(key: str, values: dict[str, float]) -> None:
    """Put the clicked coordinates into the number inputs of the system `key` (in a callback, before the next run)."""
    for name, value in values.items():
        set_control(_initial_key(key, name), float(f"{value:.4g}"))


def _typed_field() -> tuple[System, tuple[tuple[str, str], ...]] | None:
    texts = {}
    for state, example in EXAMPLE.items():
        texts[state] = st.text_input(
            f"d{state}/dt =", example, key=f"formula_d{state}", max_chars=200, bind="query-params"
        )
    if not texts["y"].strip():
        del texts["y"]  # one equation: a field on the line
    for state, text in texts.items():
        try:
            parse_field({state: text})
        except FormulaError as error:
            _show_formula_error(state, error)
            return None
        except ValueError as error:
            st.error(sentence(error), icon=":material/error:")
            return None
    try:
        return parse_field(texts), tuple(texts.items())
    except ValueError as error:
        st.error(sentence(error), icon=":material/error:")
        return None


def _typed_jumps() -> tuple[float, ...] | None:
    """The times at which a typed field jumps; None where they can't be read (the sentence is on the page)."""
    text = st.text_input(
        "f jumps at t = (empty: nowhere)",
        "",
        key="formula_jumps",
        max_chars=200,
        placeholder="2, 2.01",
        bind="query-params",
        help="Where f switches with time: the reference is solved in pieces between these times, and so are the races "
        "if you let the solvers know.",
    )
    parts = [part for part in text.replace(";", ",").replace(" ", ",").split(",") if part]
    try:
        jumps = tuple(float(part) for part in parts)
    except ValueError:
        st.error(
            f"“{text}” holds no list of times: write numbers with commas between, such as 2, 2.01.",
            icon=":material/error:",
        )
        return None
    return jumps


def _show_formula_error(state: str, error: FormulaError) -> None:
    st.error(f"d{state}/dt: {error.sentence}", icon=":material/error:")
    shown = "".join(c if c.isprintable() else " " for c in error.text)
    st.code(f"{shown}\n{' ' * error.position}^", language=None)


def _parameter(system: str, parameter: Parameter, url: Url) -> float:
    key = f"{system}_{parameter.name}"
    label = parameter.words
    if parameter.log:
        value = st.select_slider(
            label,
            parameter.positions(),
            value=parameter.default,
            key=key,
            format_func=lambda v: f"{v:g}",
            bind="query-params",
        )
    else:
        step = parameter.step or (parameter.maximum - parameter.minimum) / 100
        value = st.slider(
            label, parameter.minimum, parameter.maximum, parameter.default, step, key=key, bind="query-params"
        )
    url.note(key, value)
    return float(value)


def _methods(stiff: bool, url: Url) -> tuple[str, ...]:
    key = "stiff_methods" if stiff else "methods"
    # in a narrow column the chips of four methods need more than one row
    chosen = st.multiselect(
        "Methods to compare (two to four)",
        list(METHODS),
        list(DEFAULT_STIFF_METHODS if stiff else FIRST_METHODS),
        key=key,
        format_func=lambda name: METHODS[name].label,
        max_selections=4,
        wrap=True,
        bind="query-params",
    )
    url.note(key, [METHODS[name].label for name in chosen])
    return tuple(chosen)


def _steps(
    key: str, system: System, methods: tuple[str, ...], t_span: tuple[float, float], url: Url
) -> tuple[float, float, str, DeltaGenerator | None]:
    """The step size and, for the adaptive methods, the tolerance and the controller; only what is of use is shown.

    Last the place below the step size, for what the race finds out about it.
    """
    under_step = None
    dt, rtol, controller = system.dt or (system.t_span[1] - system.t_span[0]) / 200, 1e-4, "pi"
    span = t_span[1] - t_span[0]
    usable = math.isfinite(span) and span > 0
    fixed, adaptive = (any(METHODS[name].adaptive == kind for name in methods) for kind in (False, True))
    shown = presented("slider")  # one of them: the step where there is one
    if usable and fixed:
        options = log_grid(span / MAX_FIXED_STEPS, span / 2, MANTISSAS)
        wanted = dt if options[0] <= dt <= options[-1] else span / 200
        default = min(options, key=lambda v: abs(math.log(v / wanted)))
        dt = float(
            shown.select_slider(
                "Step size of the fixed-step methods",
                options,
                value=default,
                key=f"{key}_dt",
                format_func=lambda v: f"{v:g}",
                bind="query-params",
            )
        )
        url.note(f"{key}_dt", dt)
        under_step = shown.container()
    if adaptive:
        rtol = float(
            (st if fixed else shown).select_slider(
                "Tolerance of the adaptive methods",
                log_grid(1e-10, 1e-1, (1.0, 3.0)),
                value=1e-4,
                key="rtol",
                format_func=lambda v: f"{v:g}",
                bind="query-params",
            )
        )
        url.note("rtol", rtol)
        controller = choose(
            "Step-size controller",
            ["i", "pi", "pid"],
            "controller",
            "pi",
            format_func=str.upper,
            help="How the next step follows from the error of the last one (I), two (PI) or three (PID).",
        )
        url.note("controller", controller.upper())
    return dt, rtol, controller, under_step


def _longest(key: str, system: System, methods: tuple[str, ...], url: Url) -> float | None:
    """The longest step of the adaptive methods, None for any; asked for where f depends on time."""
    if system.autonomous or not any(METHODS[name].adaptive for name in methods):
        return None
    value = st.number_input(
        "Longest step of the adaptive methods (empty: any)",
        value=None,
        step=0.01,
        format="%g",
        key=f"{key}_max_step",
        placeholder="any",
        bind="query-params",
        help="A solver sees f only where it asks it: what is over within a step can be missed.",
    )
    url.note(f"{key}_max_step", value)
    return None if value is None else float(value)


def _told(key: str, jumps: tuple[float, ...], url: Url) -> bool:
    """Whether the solvers are told when f jumps; asked where it does."""
    if not jumps:
        return False
    told = switch(
        "Tell the solvers when f jumps",
        f"{key}_told",
        help=f"Then a step ends exactly at t = {', '.join(f'{t:g}' for t in jumps)}, and the next begins on the other "
        "side.",
    )
    url.note(f"{key}_told", told)
    return told


def _initial_key(system: str, state: str) -> str:
    return f"{system}_{state}0"


def _initial(system: str, state: str, default: float, url: Url) -> float:
    key = _initial_key(system, state)
    value = st.number_input(
        f"{state}(t₀)", value=float(default), step=0.1, format="%g", key=key, bind="query-params"
    )
    url.note(key, value)
    return float(value)


def _time_span(system: str, default: tuple[float, float], url: Url) -> tuple[float, float]:
    start = st.number_input(
        "Start t₀", value=float(default[0]), step=1.0, format="%g", key=f"{system}_from", bind="query-params"
    )
    end = st.number_input(
        f"End t₁ (empty: {default[1]:g})",
        value=None,
        step=1.0,
        format="%g",
        key=f"{system}_to",
        placeholder=f"{default[1]:g}",
        bind="query-params",
    )
    url.note(f"{system}_from", start)
    url.note(f"{system}_to", end)
    return float(start), float(default[1]) if end is None else float(end)
