"""The code behind each picture of the Solvers lesson, as text that runs as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from node_core.solvers.methods import METHODS
from node_core.studies.snippets import Code, assign, script
from node_core.studies.solvers.race_config import (
    FORMULA,
    OrderConfig,
    Problem,
    RaceConfig,
    StabilityConfig,
    WorkConfig,
)


def race_snippet(config: RaceConfig, cut_at: Mapping[str, float] = MappingProxyType({})) -> str:
    """Solve the problem with every method of `config` and print what each step cost.

    `cut_at` are the times up to which methods that explode are counted (`RaceResult.cut_at`).
    """
    problem = config.problem
    ends = {name: f"[{problem.t_span[0]!r}, {t!r}]" for name, t in cut_at.items()}
    solves = [
        f'    "{name}": odeint(f, y0, {ends.get(name, "ts")}, method="{name}", {_options(name, config)}, '
        f'on_error="return"),{"  # past it is noise" if name in ends else ""}'
        for name in config.methods
    ]
    return script(
        ["import torch", "from node_core import odeint"],
        _field(problem),
        f"y0 = torch.tensor({list(problem.y0)!r}, dtype=torch.float64)",
        f"ts = torch.tensor({list(problem.t_span)!r}, dtype=torch.float64)",
        "",
        "solutions = {",
        *solves,
        "}",
        "for name, sol in solutions.items():",
        "    print(name, sol.status.value, sol.stats.nfe, sol.stats.n_accepted, sol.stats.n_rejected, sol.ys[-1])",
        "    # every attempt: sol.steps.t, sol.steps.dt, sol.steps.error_ratio, sol.steps.accepted",
    )


def stability_snippet(config: StabilityConfig) -> str:
    """Print |R(h lambda)| of the initial state's eigenvalues for each method."""
    race = config.race
    return script(
        [
            "import numpy as np",
            "from node_core.solvers.stability import stability_function, stability_region",
        ],
        _field(race.problem),
        f"y0 = np.array({list(race.problem.y0)!r})",
        f"h_lambda = {race.dt!r} * np.linalg.eigvals(f.jacobian({race.problem.t_span[0]!r}, y0))",
        f"for name in {list(race.methods)!r}:",
        '    if name not in ("scipy_lsoda", "scipy_adams"):  # multistep: no single region',
        "        region = stability_region(name, (-7, 3), (-5, 5))  # region.magnitude <= 1 is shaded",
        "        print(name, h_lambda, np.abs(stability_function(name, h_lambda)))",
    )


def order_snippet(config: OrderConfig) -> str:
    """Measure the slopes."""
    return script(
        ["from node_core.studies.solvers.order import run"],
        *_asked(config),
        "result = run(asked)",
        "for curve in result.curves:",
        '    print(curve.label, "order", curve.order, "slope", curve.slope)',
    )


def work_snippet(config: WorkConfig) -> str:
    """Measure error against work."""
    return script(
        ["from node_core.studies.solvers.work import run"],
        *_asked(config),
        "result = run(asked)",
        "for curve in result.curves:",
        "    print(curve.label, curve.nfe, curve.error)",
    )


def _asked(config: OrderConfig | WorkConfig) -> list[Code]:
    return [assign("problem", config.problem), assign("asked", config, {"problem": "problem"})]


def _field(problem: Problem) -> Code:
    """`f = ...`, the problem's vector field."""
    values = ", ".join(f"{name}={value!r}" for name, value in problem.parameters)
    if problem.system == FORMULA:
        home, system = "formula.formula import parse_field", f"parse_field({dict(problem.formulas)!r})"
    else:
        home, system = "systems.systems import SYSTEMS", f'SYSTEMS["{problem.system}"]'
    return Code(f"f = {system}.field({values})", frozenset({f"from node_core.fields.{home}"}))


def _options(method: str, config: RaceConfig) -> str:
    told = [f"jumps={config.jumps!r}"] if config.jumps else []
    if not METHODS[method].adaptive:
        return ", ".join([f"dt={config.dt!r}", *told])
    options = [f"rtol={config.rtol!r}", f"atol={config.rtol * config.problem.atol_ratio!r}"]
    if METHODS[method].family != "scipy":  # SciPy's methods control their steps themselves
        options.append(f'controller="{config.controller}"')
    if config.max_step is not None:
        options.append(f"max_step={config.max_step!r}")
    return ", ".join([*options, *told])
