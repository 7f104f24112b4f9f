"""The code behind each picture of the Solvers lesson, as text that runs as it stands."""

from __future__ import annotations

from node_core.solvers.methods import METHODS
from node_core.studies.race_config import (
    FORMULA,
    OrderConfig,
    Problem,
    RaceConfig,
    StabilityConfig,
    WorkConfig,
)


def race_snippet(config: RaceConfig) -> str:
    """Solve the problem with every method of `config` and print what each step cost."""
    lines = [
        "import torch",
        "from node_core import odeint",
        *_imports(config.problem),
        "",
        *_problem(config.problem),
    ]
    start, end = config.problem.t_span
    lines += [f"ts = torch.tensor([{start!r}, {end!r}], dtype=torch.float64)", "", "solutions = {"]
    for name in config.methods:
        lines.append(
            f'    "{name}": odeint(f, y0, ts, method="{name}", {_options(name, config)}, on_error="return"),'
        )
    lines += ["}", "for name, sol in solutions.items():"]
    lines.append(
        "    print(name, sol.status.value, sol.stats.nfe, sol.stats.n_accepted, sol.stats.n_rejected, sol.ys[-1])"
    )
    lines.append("    # every attempt: sol.steps.t, sol.steps.dt, sol.steps.error_ratio, sol.steps.accepted")
    return "\n".join(lines) + "\n"


def stability_snippet(config: StabilityConfig) -> str:
    """Print |R(h lambda)| of the initial state's eigenvalues for each method."""
    race = config.race
    lines = [
        "import numpy as np",
        "from node_core.solvers.stability import stability_function, stability_region",
        *_imports(race.problem),
        "",
        f"f = {_field(race.problem)}",
        f"y0 = np.array({list(race.problem.y0)!r})",
        f"h_lambda = {race.dt!r} * np.linalg.eigvals(f.jacobian({race.problem.t_span[0]!r}, y0))",
        f"for name in {list(config.race.methods)!r}:",
        '    if name not in ("scipy_lsoda", "scipy_adams"):  # multistep: no single region',
        "        region = stability_region(name, (-7, 3), (-5, 5))  # region.magnitude <= 1 is shaded",
        "        print(name, h_lambda, np.abs(stability_function(name, h_lambda)))",
    ]
    return "\n".join(lines) + "\n"


def order_snippet(config: OrderConfig) -> str:
    """Measure the slopes."""
    return _study("order", "OrderConfig", config.problem, config.methods, "") + (
        'for curve in result.curves:\n    print(curve.label, "order", curve.order, "slope", curve.slope)\n'
    )


def work_snippet(config: WorkConfig) -> str:
    """Measure error against work."""
    return _study(
        "work", "WorkConfig", config.problem, config.methods, f", controller={config.controller!r}"
    ) + ("for curve in result.curves:\n    print(curve.label, curve.nfe, curve.error)\n")


def _study(module: str, config: str, problem: Problem, methods: tuple[str, ...], extra: str) -> str:
    lines = [
        f"from node_core.studies.{module} import run",
        f"from node_core.studies.race_config import {config}, Problem",
        "",
        "problem = Problem(",
        f"    system={problem.system!r},",
        f"    y0={problem.y0!r},",
        f"    t_span={problem.t_span!r},",
        f"    parameters={problem.parameters!r},",
        *([f"    atol_ratio={problem.atol_ratio!r},"] if problem.atol_ratio != 1.0 else []),
        *([f"    formulas={problem.formulas!r},"] if problem.formulas else []),
        ")",
        f"result = run({config}(problem, {methods!r}{extra}))",
    ]
    return "\n".join(lines) + "\n"


def _imports(problem: Problem) -> list[str]:
    if problem.system == FORMULA:
        return ["from node_core.fields.formula import parse_field"]
    return ["from node_core.fields.systems import SYSTEMS"]


def _field(problem: Problem) -> str:
    values = ", ".join(f"{name}={value!r}" for name, value in problem.parameters)
    if problem.system == FORMULA:
        return f"parse_field({dict(problem.formulas)!r}).field({values})"
    return f'SYSTEMS["{problem.system}"].field({values})'


def _problem(problem: Problem) -> list[str]:
    return [f"f = {_field(problem)}", f"y0 = torch.tensor({list(problem.y0)!r}, dtype=torch.float64)"]


def _options(method: str, config: RaceConfig) -> str:
    if not METHODS[method].adaptive:
        return f"dt={config.dt!r}"
    tolerances = f"rtol={config.rtol!r}, atol={config.rtol * config.problem.atol_ratio!r}"
    # SciPy's methods control their steps themselves
    return (
        tolerances if METHODS[method].family == "scipy" else f'{tolerances}, controller="{config.controller}"'
    )
