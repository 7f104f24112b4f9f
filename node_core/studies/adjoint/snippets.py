"""The code behind each picture of the Adjoint lesson, as text that runs as it stands."""

from __future__ import annotations

from node_core.studies.gradients.config import (
    AdjointConfig,
    ErrorsConfig,
    HorizonConfig,
    MemoryConfig,
    PaperConfig,
)
from node_core.studies.snippets import Code, assign, script


def gradient_snippet(config: AdjointConfig) -> str:
    """One task, forward once and backward in every mode, with its record."""
    task = config.task
    values = ", ".join(f"{name}={value!r}" for name, value in task.values.items())
    maker = {"linear": "LinearField", "van_der_pol": "VanDerPolField"}.get(task.field, "learned_module")
    return script(
        [
            "import torch",
            "from node_core import SolveError, odeint",
            f"from node_core.studies.gradients.task import {maker}",
        ],
        f"""\
f = {maker}({values})
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
    # sol.adjoint.t, .a, .z, .parameter_gradient and sol.backward_steps hold the way back""",
    )


def errors_snippet(config: ErrorsConfig) -> str:
    """Gradient error against tolerance."""
    return script(
        ["from node_core.studies.gradients.errors import run"],
        *_asked(config),
        "for curve in run(asked).curves:",
        "    print(curve.label, curve.x, curve.error, curve.nfe_backward)",
    )


def horizon_snippet(config: HorizonConfig) -> str:
    """Gradient error against the horizon."""
    return script(
        ["from node_core.studies.gradients.errors import run_horizons"],
        *_asked(config),
        "for curve in run_horizons(asked).curves:",
        "    print(curve.label, curve.x, curve.error)",
    )


def memory_snippet(config: MemoryConfig) -> str:
    """Peak memory of every mode."""
    return script(
        ["from node_core.studies.gradients.memory import run"],
        assign("asked", config),
        "for curve in run(asked).curves:",
        "    print(curve.label, curve.steps, curve.mib)",
    )


def paper_snippet(config: PaperConfig) -> str:
    """Figure 3 (a) to (c)."""
    return script(
        ["from node_core.studies.adjoint.paper import run"],
        *_asked(config),
        "result = run(asked)",
        "print(result.nfe_forward, result.error, result.seconds, result.nfe_backward)",
    )


def _asked(config: ErrorsConfig | HorizonConfig | PaperConfig) -> list[Code]:
    return [assign("task", config.task), assign("asked", config, {"task": "task"})]
