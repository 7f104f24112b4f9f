"""The code behind each picture of the Adjoint lesson, as text that runs as it stands."""

from __future__ import annotations

from node_core.studies.adjoint_config import (
    AdjointConfig,
    ErrorsConfig,
    HorizonConfig,
    MemoryConfig,
    PaperConfig,
    Task,
)


def gradient_snippet(config: AdjointConfig) -> str:
    """One task, forward once and backward in every mode, with its record."""
    task = config.task
    maker, call = _field(task)
    return f"""\
import torch
from node_core import SolveError, odeint
from node_core.studies.adjoint_task import {maker}

f = {call}
ts = {[0.0, *task.observations]!r}
target = torch.tensor({list(task.spec.target)!r}, dtype=torch.float64)

for mode in {list(config.modes)!r}:
    f.zero_grad()
    z0 = torch.tensor({list(task.spec.y0)!r}, dtype=torch.float64, requires_grad=True)
    sol = odeint(f, z0, ts, method={config.method!r}, rtol={config.rtol!r}, atol={config.rtol!r},
                 gradient=mode, record_adjoint=True)
    loss = 0.5 * ((sol.ys[1:] - target) ** 2).sum()
    try:
        loss.backward()
    except SolveError as error:
        print(mode, "failed:", error)
        continue
    print(mode, "dL/dz(0) =", z0.grad.tolist(), "evaluations back:", sol.backward_stats.nfe)
    # sol.adjoint.t, .a, .z, .parameter_gradient and sol.backward_steps hold the way back
"""


def errors_snippet(config: ErrorsConfig) -> str:
    """Gradient error against tolerance."""
    return _study(
        "adjoint_errors", "run", "ErrorsConfig", config.task, f"{config.method!r}, {config.modes!r}"
    ) + ("for curve in result.curves:\n    print(curve.label, curve.x, curve.error, curve.nfe_backward)\n")


def horizon_snippet(config: HorizonConfig) -> str:
    """Gradient error against the horizon."""
    extra = f"{config.rtol!r}, {config.method!r}, {config.modes!r}"
    return _study("adjoint_errors", "run_horizons", "HorizonConfig", config.task, extra) + (
        "for curve in result.curves:\n    print(curve.label, curve.x, curve.error)\n"
    )


def memory_snippet(config: MemoryConfig) -> str:
    """Peak memory of every mode."""
    return f"""\
from node_core.studies.adjoint_config import MemoryConfig
from node_core.studies.adjoint_memory import run

result = run(MemoryConfig({config.modes!r}, steps={config.steps!r}, batch={config.batch!r}))
for curve in result.curves:
    print(curve.label, curve.steps, curve.mib)
"""


def paper_snippet(config: PaperConfig) -> str:
    """Figure 3 (a) to (c)."""
    return _study("adjoint_paper", "run", "PaperConfig", config.task, repr(config.method)) + (
        "print(result.nfe_forward, result.error, result.seconds, result.nfe_backward)\n"
    )


def _field(task: Task) -> tuple[str, str]:
    values = ", ".join(f"{name}={value!r}" for name, value in task.values.items())
    maker = {"linear": "LinearField", "van_der_pol": "VanDerPolField"}.get(task.field, "learned_module")
    return maker, f"{maker}({values})"


def _study(module: str, function: str, config: str, task: Task, extra: str) -> str:
    return f"""\
from node_core.studies.adjoint_config import {config}, Task
from node_core.studies.{module} import {function}

task = Task(
    field={task.field!r},
    parameters={task.parameters!r},
    horizon={task.horizon!r},
    observations={task.observations!r},
)
result = {function}({config}(task, {extra}))
"""
