"""What the page of limits asks, whatever is chosen on it: these answers come with the project."""

from __future__ import annotations

from typing import Any

from node_core.studies.limits.flows_config import FlowsConfig
from node_core.studies.limits.gains_config import GainsConfig
from node_core.studies.limits.questions import GAPS, HORIZONS, SPEED, SWAPS
from node_core.studies.limits.stiff_config import StiffConfig

_SWAP = "node_core.studies.classifier.solver_swap:run"

QUESTIONS: dict[str, tuple[str, Any]] = {
    "gains": ("node_core.studies.limits.gains:run", GainsConfig()),
    "stiff": ("node_core.studies.limits.stiff:run", StiffConfig()),
    **{f"speed_{task}": ("node_core.studies.limits.speed:run", asked) for task, asked in SPEED.items()},
    **{
        f"horizons_{field}": ("node_core.studies.gradients.errors:run_horizons", asked)
        for field, asked in HORIZONS.items()
    },
    **{f"gaps_{name}": ("node_core.studies.limits.gaps:run", asked) for name, asked in GAPS.items()},
    "flows_sign_flip": ("node_core.studies.limits.flows:run", FlowsConfig("sign_flip")),
    "flows_annulus": ("node_core.studies.limits.flows:run", FlowsConfig("annulus")),
    # that of two Euler steps is shipped by the lesson ODE-Net, which asks it too
    **{
        f"swap_{asked.train.method}_{1 / asked.train.dt:.0f}": (_SWAP, asked)
        for asked in list(SWAPS.values())[1:]
    },
}
