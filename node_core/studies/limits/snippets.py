"""The code behind each panel of the page of limits, as text that runs as it stands."""

from __future__ import annotations

from node_core.studies.classifier.solver_swap_config import SolverSwapConfig
from node_core.studies.gradients.config import HorizonConfig
from node_core.studies.limits.flows_config import FlowsConfig
from node_core.studies.limits.gains_config import GainsConfig
from node_core.studies.limits.gaps_config import GapsConfig
from node_core.studies.limits.speed_config import SpeedConfig
from node_core.studies.limits.stiff_config import StiffConfig
from node_core.studies.snippets import assign, script


def speed_snippet(asked: SpeedConfig) -> str:
    """Train every net, and print when it reached the target."""
    return script(
        ["from node_core.studies.limits.speed import run"],
        assign("asked", asked),
        "for lane in run(asked).lanes:",
        "    k = lane.reached(asked.target)",
        '    first = "not reached" if k is None else lane.seconds[k]',
        "    print(lane.name, lane.parameters, first, lane.accuracy[-1], lane.nfe[0], lane.nfe[-1])",
    )


def stiff_snippet(asked: StiffConfig) -> str:
    """Solve van der Pol and the net that learned it by both methods."""
    return script(
        ["from node_core.studies.limits.stiff import run"],
        assign("asked", asked),
        "for solve in run(asked).solves:",
        "    print(solve.field, solve.method, solve.mu, solve.steps, solve.done, solve.h_lambda.real.min())",
    )


def horizons_snippet(asked: HorizonConfig) -> str:
    """Gradient error against the horizon, in every mode."""
    return script(
        ["from node_core.studies.gradients.errors import run_horizons"],
        assign("asked", asked),
        "for curve in run_horizons(asked).curves:",
        "    print(curve.label, curve.x, curve.error, curve.nfe_backward)",
    )


def flows_snippet(asked: FlowsConfig) -> str:
    """Judge the three nets."""
    return script(
        ["from node_core.studies.limits.flows import run"],
        assign("asked", asked),
        "for net in run(asked).nets:",
        "    print(net.name, net.parameters, net.accuracy, net.loss, net.nfe, net.swapped)",
    )


def swap_snippet(asked: SolverSwapConfig) -> str:
    """Train with one solver, and judge the weights with others."""
    return script(
        ["from node_core.studies.classifier.solver_swap import run"],
        assign("asked", asked),
        "result = run(asked)",
        "print(result.sentence)",
        "for entry in result.entries:",
        "    print(entry.method, entry.dt, entry.accuracy, entry.nfe)",
    )


def gains_snippet(asked: GainsConfig) -> str:
    """Solve a trained net in several ways."""
    return script(
        ["from node_core.studies.limits.gains import run"],
        assign("asked", asked),
        "print(run(asked))",
    )


def gaps_snippet(asked: GapsConfig) -> str:
    """Fill gaps and foresee by a spline, a GRU and a latent ODE."""
    return script(
        ["from node_core.studies.limits.gaps import run"],
        assign("asked", asked),
        "for way in run(asked).ways:",
        "    print(way.name, way.inside, way.beyond, way.seconds)",
    )
