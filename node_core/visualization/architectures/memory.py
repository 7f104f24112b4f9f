"""Measured memory and time of a training step against evaluations of the block, beside the paper's orders."""

from __future__ import annotations

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from node_core.studies.architectures.memory_config import MemoryResult
from node_core.training.images.config import ImagesConfig
from node_core.visualization.loglog import Guide, LogInfo, log_figure, series_of
from node_core.visualization.style import FONT_SIZE, LANE_SYMBOLS, Floats, laid_out, lane_colour

What = Literal["mib", "seconds"]
TITLES: dict[What, str] = {"mib": "peak memory (MiB)", "seconds": "CPU time (s)"}
RESNET = "resnet"
LABELS = {
    RESNET: "ResNet",
    "backprop": "backprop",
    "adjoint": "adjoint",
    "adjoint_seminorm": "adjoint, seminorm",
    "checkpointed": "checkpointed",
    "interpolated": "interpolated",
}
"""Of the ResNet, and of the ODE-Net's ways back."""
RK4 = 4  # evaluations a step


def series_by_mode(result: MemoryResult, what: What) -> dict[str, tuple[Floats, Floats, Floats]]:
    """Evaluations forward (of a ResNet: its layers), values, evaluations in all: of the ResNet and of each mode."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for train, value, nfe in zip(result.config.trains, getattr(result, what), result.nfe, strict=True):
        found.setdefault(_name(train), []).append((_forward(train), float(value), float(nfe)))
    return {name: tuple(np.array(rows).T) for name, rows in found.items()}


def memory_info(result: MemoryResult, what: What) -> LogInfo:
    """A line for the ResNet and one a gradient mode."""
    found = series_by_mode(result, what)
    series = tuple(
        series_of(
            LABELS[name],
            lane_colour(list(LABELS).index(name)),
            LANE_SYMBOLS[list(LABELS).index(name)],
            x,
            y,
            nfe,
            "dot" if name == "backprop" else "solid",
        )
        for name, (x, y, nfe) in found.items()
    )
    guides = []
    orders = (("backprop", 1, "O(L), O(L̃)"),) + ((("adjoint", 0, "O(1)"),) if what == "mib" else ())
    for name, power, label in orders:
        if name in found:
            x, y, _ = found[name]
            guides.append(Guide(label, (x[0], x[-1]), (float(y[-1] * (x[0] / x[-1]) ** power), float(y[-1]))))
    return LogInfo("evaluations forward: L, L̃", TITLES[what], "evaluations in all", series, tuple(guides))


def memory_figure(info: LogInfo) -> go.Figure:
    """Draw a picture of many lines: their names in small type."""
    return laid_out(log_figure(info, height=420), {"legend": {"font": {"size": FONT_SIZE - 3}}})


def memory_sentence(result: MemoryResult) -> str:
    """What more evaluations cost, in numbers."""
    found = series_by_mode(result, "mib")
    parts = []
    for name in ("backprop", "checkpointed", "adjoint"):
        if name in found:
            x, y, _ = found[name]
            parts.append(f"{LABELS[name]} {y[0]:.0f} to {y[-1]:.0f} MiB")
    if not parts:
        return ""
    return f"From {x[0]:.0f} to {x[-1]:.0f} evaluations forward: {', '.join(parts)}."


def _name(train: ImagesConfig) -> str:
    return RESNET if train.model == "resnet" else train.gradient


def _forward(train: ImagesConfig) -> float:
    return float(train.layers if train.model == "resnet" else RK4 * round(1 / train.dt))
