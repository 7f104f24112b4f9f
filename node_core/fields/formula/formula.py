"""Vector fields that a user types: {"x": "y", "y": "mu*(1 - x^2)*y - x"} -> a `System` like any other.

What can be written: `node_core.fields.formula.parser`. Names that are neither a state, `t`, a constant nor a function
become parameters. Torch-free at import.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node_core.fields.formula.expression import CONSTANTS, Compiled, Expression, jacobian, names_in
from node_core.fields.formula.expression_latex import latex, name_latex
from node_core.fields.formula.parser import MAX_NUMBER, is_name, parse_expression
from node_core.fields.systems.system import Interval, Parameter, System

MAX_STATES = 6
MAX_PARAMETERS = 12


@dataclass(frozen=True)
class Formula:
    """A parsed formula: its text and its expression tree."""

    text: str
    expression: Expression

    @property
    def latex(self) -> str:
        """The formula as LaTeX."""
        return latex(self.expression)

    @property
    def names(self) -> tuple[str, ...]:
        """States, `t` and parameters in it, in order of appearance."""
        return tuple(name for name in names_in(self.expression) if name not in CONSTANTS)


def parse_formula(text: str) -> Formula:
    """Read one formula. Raises FormulaError pointing at the character that is wrong."""
    return Formula(text, parse_expression(text))


def free_parameters(formulas: str | Sequence[str], states: Sequence[str] = ("x", "y")) -> tuple[str, ...]:
    """Names in the formulas that are neither states nor `t`, in order of appearance: the parameters.

    Raises FormulaError.
    """
    texts = [formulas] if isinstance(formulas, str) else list(formulas)
    found = dict.fromkeys(name for text in texts for name in parse_formula(text).names)
    return tuple(name for name in found if name != "t" and name not in states)


def parse_field(
    equations: Mapping[str, str],
    parameters: Mapping[str, float | Parameter] | None = None,
    *,
    y0: Sequence[float] | None = None,
    t_span: Interval = (0.0, 20.0),
    view: tuple[Interval, Interval] | None = None,
    key: str = "formula",
    name: str = "Your own field",
) -> System:
    """A System from one right-hand side for each state: {"x": "y", "y": "-x"} is x' = y, y' = -x.

    Free names become parameters with default 1 and range -10..10; `parameters` overrides this with another
    default or a whole `Parameter`. The Jacobian is symbolic. Raises FormulaError for a formula, ValueError
    for names.
    """
    states = _checked_states(equations)
    formulas = [parse_formula(text) for text in equations.values()]
    given = dict(parameters or {})
    free = dict.fromkeys([*given, *free_parameters([f.text for f in formulas], states)])
    if len(free) > MAX_PARAMETERS:
        raise ValueError(
            f"the formulas have {len(free)} parameters ({', '.join(free)}); use at most {MAX_PARAMETERS}"
        )
    for parameter in given:
        if parameter in states or parameter == "t" or not is_name(parameter):
            raise ValueError(f"{parameter!r} cannot be a parameter's name; use a letter that is not a state")
    declared = tuple(_as_parameter(n, given.get(n, 1.0)) for n in free)
    expressions = tuple(f.expression for f in formulas)
    entries = jacobian(expressions, states)
    start = tuple(float(v) for v in y0) if y0 is not None else (1.0,) + (0.0,) * (len(states) - 1)
    window = (-4.0, 4.0)
    rows = (rf"\dot {{{name_latex(s)}}} &= {f.latex}" for s, f in zip(states, formulas, strict=True))
    return System(
        key=key,
        name=name,
        latex=r"\begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}",
        look_for="Your own field: where do the steps shorten, and which method leaves the path first?",
        dim=len(states),
        state_names=states,
        parameters=declared,
        y0=start,
        t_span=t_span,
        view=view or ((t_span if len(states) == 1 else window), window),
        stiff=False,
        autonomous=all("t" not in f.names for f in formulas),
        rhs=Compiled(expressions, states, tuple(free)),
        jacobian=None if entries is None else Compiled(entries, states, tuple(free), columns=len(states)),
    )


def _as_parameter(name: str, value: float | Parameter) -> Parameter:
    if isinstance(value, Parameter):
        if value.name != name:
            raise ValueError(f"the parameter of {name!r} is named {value.name!r}; give both the same name")
        return value
    number = float(value)
    if not math.isfinite(number) or abs(number) > MAX_NUMBER:
        raise ValueError(f"{name} = {number:g} is no usable number; give a finite one")
    reach = max(10.0, 2 * abs(number))
    return Parameter(name, name_latex(name), number, -reach, reach)


def _checked_states(equations: Mapping[str, str]) -> tuple[str, ...]:
    states = tuple(equations)
    if not 1 <= len(states) <= MAX_STATES:
        raise ValueError(f"the field has {len(states)} equations; give 1 to {MAX_STATES}")
    for state in states:
        if not is_name(state) or state == "t":
            raise ValueError(
                f"{state!r} cannot be a state's name; use letters and digits, like x or y1, and not t"
            )
    return states
