"""What the Adjoint page asks before anybody has touched it, and its preset: these answers come with the project."""

from __future__ import annotations

from node_core.studies.gradients.config import (
    AdjointConfig,
    CheckConfig,
    ErrorsConfig,
    HorizonConfig,
    MemoryConfig,
    PaperConfig,
    Task,
)

_WRONG = ("adjoint", "adjoint_seminorm", "interpolated", "checkpointed")
_CHECK = "node_core.studies.adjoint.check:run"
_GRADIENT, _HORIZONS = (
    "node_core.studies.adjoint.way_back:run",
    "node_core.studies.gradients.errors:run_horizons",
)

QUESTIONS = {
    "gradient": (_GRADIENT, AdjointConfig(Task())),
    "gradient_wrong": (
        _GRADIENT,
        AdjointConfig(Task(horizon=10.0, observations=(10.0,)), 1e-3, modes=_WRONG),
    ),
    "check": (_CHECK, CheckConfig(Task())),
    "check_wrong": (_CHECK, CheckConfig(Task(horizon=10.0, observations=(10.0,)))),
    "errors": ("node_core.studies.gradients.errors:run", ErrorsConfig(Task())),
    "horizons": (_HORIZONS, HorizonConfig(Task(), 1e-4)),
    "memory": ("node_core.studies.gradients.memory:run", MemoryConfig()),
    "paper": ("node_core.studies.adjoint.paper:run", PaperConfig(Task())),
}
