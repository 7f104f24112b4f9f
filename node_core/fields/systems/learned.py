"""The field that a Neural ODE learned from spirals: its committed weights, checked, and its value without torch.

    f(y) = W_2 tanh(W_1 y + b_1) + b_2

The weights are made by `python -m node_core.studies.adjoint.make_learned_field` and lie in assets/systems as
safetensors, which holds numbers only: reading it can run no code. The names are those of `MLPField`'s parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from node_core.assets import ASSETS

CHECKPOINT = ASSETS / "systems" / "odenet_spiral.safetensors"
HIDDEN = 24
SHAPES = {"weight_1": (HIDDEN, 2), "bias_1": (HIDDEN,), "weight_2": (2, HIDDEN), "bias_2": (2,)}
MAX_BYTES = 1_000_000

Components = Sequence[Any]
Weights = dict[str, NDArray[np.float64]]


def load_weights(path: Path = CHECKPOINT) -> Weights:
    """Read the weights by name, float64.

    Raises:
        ValueError: the file is missing, too large, no safetensors, or does not hold exactly the finite float64
            arrays of `SHAPES`.
    """
    if not path.is_file():
        raise ValueError(
            f"There is no checkpoint {path.name}: run python -m node_core.studies.adjoint.make_learned_field."
        )
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(
            f"The checkpoint {path.name} has more than {MAX_BYTES} bytes: this net needs only a few thousand."
        )
    try:
        found = load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"The checkpoint {path.name} is not a safetensors file ({error}).") from None
    if set(found) != set(SHAPES):
        raise ValueError(f"The checkpoint {path.name} holds {sorted(found)}: it must hold {sorted(SHAPES)}.")
    for name, shape in SHAPES.items():
        array = found[name]
        if array.shape != shape or array.dtype != np.float64 or not np.isfinite(array).all():
            raise ValueError(
                f"{name} in {path.name} is {array.dtype} of shape {array.shape}: "
                f"it must be finite float64 of shape {shape}."
            )
    return {name: found[name] for name in SHAPES}


@lru_cache(maxsize=1)
def _committed() -> Weights:
    return load_weights()


def learned(t: Any, y: Components, p: Mapping[str, float], xp: ModuleType) -> tuple[Any, ...]:
    """Right-hand side on components of the batch shape, as `node_core.fields.systems.classical` writes them."""
    w, hidden = _layers(y, xp)
    return tuple((hidden * w["weight_2"][i]).sum(-1) + w["bias_2"][i] for i in range(2))


def learned_jacobian(
    t: Any, y: Components, p: Mapping[str, float], xp: ModuleType
) -> tuple[tuple[Any, ...], ...]:
    """W_2 diag(1 - tanh^2) W_1."""
    w, hidden = _layers(y, xp)
    slope = 1.0 - hidden * hidden
    return tuple(
        tuple((slope * (w["weight_2"][i] * w["weight_1"][:, j])).sum(-1) for j in range(2)) for i in range(2)
    )


def _layers(y: Components, xp: ModuleType) -> tuple[Any, Any]:
    """The weights in y's kind of array, and the hidden layer (..., HIDDEN)."""
    w: Any = _committed()
    if xp is not np:
        w = {name: xp.as_tensor(value, dtype=y[0].dtype, device=y[0].device) for name, value in w.items()}
    first, second = (np.asarray(v)[..., None] if xp is np else v[..., None] for v in y)
    return w, xp.tanh(first * w["weight_1"][:, 0] + second * w["weight_1"][:, 1] + w["bias_1"])
