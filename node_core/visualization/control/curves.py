"""How a controller's training goes on: its cost, how often it succeeds, and how large its gradient is."""

from __future__ import annotations

from node_core.visualization.training_curves import CurvesInfo, Run, curve_of


def cost_info(run: Run, revision: str = "") -> CurvesInfo:
    """The mean cost of the batch's trials against the iteration."""
    found = curve_of(run, 0, "loss", "cost of the batch")
    return CurvesInfo("iteration", "cost", True, (found,) if found else (), revision)


def success_info(run: Run, revision: str = "") -> CurvesInfo:
    """The share of held-out starts (%) from which the plant arrives and stays."""
    share = curve_of(run, 2, "success", "held-out starts", scale=100.0)
    return CurvesInfo("iteration", "success (%)", False, (share,) if share else (), revision)


def gradient_info(run: Run, revision: str = "") -> CurvesInfo:
    """The norm of the gradient before it is clipped, against the iteration."""
    found = curve_of(run, 1, "gradient_norm", "‖∂J/∂θ‖")
    return CurvesInfo("iteration", "gradient norm", True, (found,) if found else (), revision)
