"""The field that a Neural ODE learned from spirals: its committed weights, checked, and its value without torch.

    f(y) = W_2 tanh(W_1 y + b_1) + b_2

The weights are made by `python -m node_core.studies.make_learned_field` and lie in assets/checkpoints as safetensors,
which holds numbers only: reading it can run no code. The names are those of `MLPField`'s parameters.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from node_core.fields.base import Array, namespace_of

CHECKPOINT = Path(__file__).resolve().parents[2] / "assets" / "checkpoints" / "odenet_spiral.safetensors"
HIDDEN = 24
SHAPES = {"weight_1": (HIDDEN, 2), "bias_1": (HIDDEN,), "weight_2": (2, HIDDEN), "bias_2": (2,)}
MAX_BYTES = 1_000_000

Weights = dict[str, NDArray[np.float64]]


def load_weights(path: Path = CHECKPOINT) -> Weights:
    """Read the weights by name, float64.

    Raises:
        ValueError: the file is missing, too large, no safetensors, or does not hold exactly the finite float64
            arrays of `SHAPES`.
    """
    if not path.is_file():
        raise ValueError(
            f"There is no checkpoint {path.name}: run python -m node_core.studies.make_learned_field."
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


def learned_field(t: Any, y: Array) -> Array:
    """The learned dy/dt at states y (..., 2), a NumPy array or a torch tensor; it does not depend on t."""
    xp = namespace_of(y)
    w: Any = _committed()
    if xp is not np:
        w = {name: xp.as_tensor(value, dtype=y.dtype, device=y.device) for name, value in w.items()}
    return xp.tanh(y @ w["weight_1"].T + w["bias_1"]) @ w["weight_2"].T + w["bias_2"]
