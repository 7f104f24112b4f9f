"""The code behind the pictures of the Control lesson, as text that runs as it stands."""

from __future__ import annotations

from typing import Any

from node_core.studies.snippets import assign, script
from node_core.training.control.config import ControlConfig


def control_snippet(config: ControlConfig) -> str:
    """Train what the page trains and print a line every 20 iterations."""
    return script(
        ["from itertools import islice", "from node_core.training.control.train import train"],
        assign("config", config),
        "for snapshot in islice(train(config, every=20), 11):",
        "    s = snapshot.scalars",
        '    print(s["iteration"], s["loss"], s["success"], s["horizon"])',
    )


def costate_snippet(config: ControlConfig) -> str:
    """The costate at the start of the page's trial, and what finite differences of the cost say of it."""
    return script(
        [
            "import torch",
            "from node_core import odeint",
            "from node_core.training.control.build import build_policy, loop_of",
        ],
        assign("config", config),
        "loop = loop_of(config, build_policy(config).double())",
        "T = config.judged",
        "",
        "def J(x0):",
        "    sol = odeint(loop, loop.start(x0), torch.tensor([0.0, T]), rtol=1e-8, atol=1e-8, "
        'gradient="adjoint")',
        "    return loop.total_cost(sol.ys[-1], T).sum()",
        "",
        "x0 = torch.tensor([config.of_task().start], dtype=torch.float64, requires_grad=True)",
        "J(x0).backward()",
        "eps = 1e-5 * torch.eye(x0.shape[1], dtype=torch.float64)",
        "with torch.no_grad():",
        "    differences = [(J(x0 + e) - J(x0 - e)).item() / 2e-5 for e in eps]",
        "print(x0.grad[0].tolist(), differences)",
    )


def study_snippet(asked: Any) -> str:
    """Ask one of this room's studies what the page asks it, of the weights with which the run begins.

    Args:
        asked: its configuration, such as a `RivalsConfig`.
    """
    room = type(asked).__module__.removesuffix("_config")
    return script([f"from {room} import run"], assign("asked", asked), "result = run(asked)", "print(result)")
