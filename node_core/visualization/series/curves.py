"""How a model of series learns: the likelihood of what it is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from node_core.visualization.training_curves import Curve, CurvesInfo, Run, curve_of

_BEGINNING = 0.25  # of a run: what lies far below the rest of it is left out, else the rest were a flat line
_FEW = 8


def fit_info(runs: Sequence[Run], revision: str = "") -> CurvesInfo:
    """Log-likelihood of an observed value (nats) against the iteration; of one latent ODE its KL too, dashed.

    The beginning of a curve, where it lies far below all that follows, is not drawn.
    """
    curves = [_rising(curve_of(run, k, "log_likelihood", "log p(x)")) for k, run in enumerate(runs)]
    if len(runs) == 1:
        curves.append(curve_of(runs[0], 1, "kl", "KL(q‖prior)", dashed=True))
    return CurvesInfo("iteration", "nats a value", False, tuple(c for c in curves if c), revision)


def _rising(curve: Curve | None) -> Curve | None:
    """The curve without what lies further below the rest than the rest is high."""
    if curve is None or len(curve.y) < _FEW:
        return curve
    rest = curve.y[int(_BEGINNING * len(curve.y)) :]
    low, high = float(rest.min()), float(rest.max())
    kept = curve.y >= low - max(high - low, 0.5)
    return curve._replace(x=curve.x[kept], y=curve.y[kept]) if np.count_nonzero(kept) else curve
