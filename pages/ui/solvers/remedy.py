"""What the remedy of a diagnosis sets on the Solvers page."""

from __future__ import annotations

from node_core.solution import Diagnosis
from node_core.solvers.methods import METHODS
from node_core.studies.solvers.race_config import FORMULA, MAX_FIXED_STEPS, Lane, RaceConfig
from pages.ui.diagnosis import Applied
from pages.ui.layout import log_grid
from pages.ui.solvers.controls import MANTISSAS, TOLERANCES


def remedy_of(config: RaceConfig, lane: Lane, diagnosis: Diagnosis) -> Applied:
    """The controls that a lane's remedy sets, as far as the page has them."""
    key, changes = config.problem.system, diagnosis.changes
    if "method" in changes:
        return _method(config, lane.method, str(changes["method"]))
    if "dt" in changes:
        return _step(config, float(changes["dt"]))
    if "jumps" in changes:
        told: dict[str, object] = {f"{key}_told": True}
        if key == FORMULA:
            told["formula_jumps"] = ", ".join(f"{t:.6g}" for t in changes["jumps"])
        return Applied("Tell the solvers of the jumps", told)
    if "ts" in changes:
        end = float(changes["ts"][1])
        return Applied(f"End at t = {end:g}", {f"{key}_to": end})
    if "max_step" in changes:
        return Applied("Let the steps be as long as they like", {f"{key}_max_step": None})
    if "rtol" in changes:
        return _tolerance(float(changes["rtol"]))
    if "max_steps" in changes:  # which the page sets for all
        return _tolerance(100 * config.rtol)
    return Applied()


def _method(config: RaceConfig, old: str, new: str) -> Applied:
    frame = config.problem.resolve().frame(**dict(config.problem.parameters))
    names = list(dict.fromkeys(new if name == old else name for name in config.methods))
    label = f"Take {METHODS[new].label} instead" if len(names) == len(config.methods) else "Leave it out"
    return Applied(label, {"stiff_methods" if frame.stiff else "methods": names})


def _step(config: RaceConfig, dt: float) -> Applied:
    start, end = config.problem.t_span
    shorter = [h for h in log_grid((end - start) / MAX_FIXED_STEPS, (end - start) / 2, MANTISSAS) if h <= dt]
    if not shorter:
        return Applied()
    return Applied(f"Take steps of {shorter[-1]:g}", {f"{config.problem.system}_dt": shorter[-1]})


def _tolerance(rtol: float) -> Applied:
    looser = [value for value in TOLERANCES if value >= rtol * (1 - 1e-9)]
    return Applied(f"Loosen the tolerance to {looser[0]:g}", {"rtol": looser[0]}) if looser else Applied()
