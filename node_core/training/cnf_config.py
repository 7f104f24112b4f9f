"""The frozen configuration of a flow's training: which density, which flow, how it is fitted.

Nothing here imports torch: pages make these, workers use them.
"""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from node_core.cnf.painted import TargetConfig
from node_core.cnf.targets import TARGETS
from node_core.solvers.methods import method_named
from node_core.training.config import ACTIVATIONS, GRADIENTS, MAX_FIXED_STEPS, MAX_ITERATIONS

FlowName = Literal["cnf", "planar", "realnvp"]
FieldName = Literal["mlp", "hypernetwork"]
BaseName = Literal["normal", "mixture", "disc"]
Objective = Literal["likelihood", "reverse_kl", "forward_kl"]
PARTICLES = 200  # whose paths a live picture shows

DivergenceName = Literal["exact", "hutchinson", "hutch++"]
NoiseName = Literal["gaussian", "rademacher"]


@dataclass(frozen=True)
class CNFConfig:
    """Everything that determines the training of a flow.

    The fields up to `start` are its structure: a change means a new run (`cnf_needs_reset`). The others may change
    while it goes on.

    Args:
        target: the density to learn.
        flow: "cnf", "planar" (Rezende and Mohamed 2015) or "realnvp" (affine couplings).
        field: of a CNF: "mlp", or "hypernetwork", the paper's own.
        hidden: widths of the MLP field's 1 to 3 hidden layers, each 1 to 256.
        activation: of the MLP field.
        time_dependent: whether the MLP field sees t.
        width: hidden units M of the hypernetwork field (1 to 256).
        hyper_hidden: width of the hypernetwork's own layers (1 to 256); the couplings' nets of a RealNVP take it too.
        depth: layers K of a planar flow or a RealNVP (1 to 64).
        base: the density at t0: "normal", "mixture" (four Gaussians on a square) or "disc".
        objective: "likelihood": samples of the target, loss = mean -log q (nats); "reverse_kl": samples of the flow,
            loss = E_q[log q - log p], p known up to a factor; "forward_kl": the mean -log q under p, by importance
            weights p / q of the flow's own samples, so that p is needed only up to a factor as well.
        seed: of weights, batches and noise.
        start: name of a pre-trained flow in assets/checkpoints/flows to begin with; "" for random weights.
        t1: end time of a CNF, 0 < t1 <= 10.
        method, rtol, atol, dt, gradient: as in `odeint`.
        divergence, noise: how the trace is found.
        kinetic, jacobian: weights of the penalties (mean integral of |f|^2 and of |df/dz|^2 along the paths).
        lr: Adam's learning rate.
        lr_end: what is left of it at `iterations`, by a cosine; 1 keeps it constant.
        batch: samples an iteration (1 to 20,000).
        iterations: where the run is finished.

    Raises:
        ValueError: a value is out of range or two don't go together; the sentence names the remedy.
    """

    target: TargetConfig = field(default_factory=TargetConfig)
    flow: FlowName = "cnf"
    field: FieldName = "mlp"
    hidden: tuple[int, ...] = (64, 64)
    activation: str = "tanh"
    time_dependent: bool = True
    width: int = 64
    hyper_hidden: int = 32
    depth: int = 8
    base: BaseName = "normal"
    objective: Objective = "likelihood"
    seed: int = 0
    start: str = ""
    t1: float = 1.0
    method: str = "dopri5"
    rtol: float = 1e-3
    atol: float = 1e-3
    dt: float = 0.1
    gradient: str = "backprop"
    divergence: DivergenceName = "exact"
    noise: NoiseName = "rademacher"
    kinetic: float = 0.0
    jacobian: float = 0.0
    lr: float = 0.005
    lr_end: float = 1.0
    batch: int = 512
    iterations: int = 100_000

    def __post_init__(self) -> None:
        for name, words in _WORDS.items():
            value = getattr(self, name)
            if value not in words:
                raise ValueError(f"{name} = {value!r} is unknown: choose one of {', '.join(words)}.")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ValueError(f"{name} = {value}: choose {low:g} to {high:g}.")
        if not 1 <= len(self.hidden) <= 3 or not all(1 <= width <= 256 for width in self.hidden):
            raise ValueError(f"hidden = {self.hidden}: give 1 to 3 widths, each 1 to 256.")
        if not all(c.isalnum() or c in "_-" for c in self.start) or len(self.start) > 64:
            raise ValueError(
                f"start = {self.start!r}: give a checkpoint's name, letters, digits, '_' and '-'."
            )
        self._check_target()
        self._check_solver()

    def _check_target(self) -> None:
        name = self.target.name
        if name not in TARGETS and name not in ("drawn", "image"):
            raise ValueError(f"target {name!r} is unknown: choose one of {', '.join(TARGETS)}, drawn, image.")
        smooth = name != "image" and (name == "drawn" or TARGETS[name].smooth)
        if self.objective == "reverse_kl" and not smooth:
            raise ValueError(
                f"objective = 'reverse_kl' needs a density with a gradient, which {name!r} has not: take "
                "objective = 'likelihood', or another target."
            )

    def _check_solver(self) -> None:
        method = method_named(self.method)
        if self.flow != "cnf":
            if self.kinetic > 0 or self.jacobian > 0:
                raise ValueError(
                    f"kinetic and jacobian belong to paths in time, which flow = {self.flow!r} has not: set both to 0."
                )
            return
        if method.family == "scipy" and self.gradient in ("backprop", "checkpointed"):
            raise ValueError(
                f"method = {self.method!r} gives no stages to differentiate through: take gradient = 'adjoint', or "
                "method = 'dopri5'."
            )
        if not method.adaptive and self.t1 / self.dt > MAX_FIXED_STEPS:
            raise ValueError(
                f"dt = {self.dt}: that would be more than {MAX_FIXED_STEPS} steps, choose at least "
                f"{self.t1 / MAX_FIXED_STEPS:g}."
            )

    @property
    def penalties(self) -> bool:
        """Whether the solve also integrates the penalties."""
        return self.kinetic > 0 or self.jacobian > 0


_WORDS: dict[str, tuple[str, ...]] = {
    "flow": get_args(FlowName),
    "field": get_args(FieldName),
    "activation": ACTIVATIONS,
    "base": get_args(BaseName),
    "objective": get_args(Objective),
    "gradient": GRADIENTS,
    "divergence": get_args(DivergenceName),
    "noise": get_args(NoiseName),
}
_RANGES: dict[str, tuple[float, float]] = {
    "width": (1, 256),
    "hyper_hidden": (1, 256),
    "depth": (1, 64),
    "seed": (0, 2**31 - 1),
    "t1": (1e-3, 10),
    "rtol": (1e-6, 0.5),
    "atol": (1e-7, 0.5),
    "dt": (1e-6, 10),
    "kinetic": (0, 100),
    "jacobian": (0, 100),
    "lr": (1e-8, 100),
    "lr_end": (0, 1),
    "batch": (1, 20_000),
    "iterations": (1, MAX_ITERATIONS),
}

_NAMES = tuple(entry.name for entry in fields(CNFConfig))
STRUCTURE = _NAMES[: _NAMES.index("t1")]
LIVE_FIELDS = _NAMES[_NAMES.index("t1") :]
"""Fields that a message may change while the run goes on."""


@functools.lru_cache(maxsize=8)
def cnf_structure(config: CNFConfig) -> str:
    """Digest of what a running state belongs to."""
    values = tuple((name, getattr(config, name)) for name in STRUCTURE)
    return hashlib.sha256(repr(values).encode()).hexdigest()


def cnf_needs_reset(old: CNFConfig, new: CNFConfig) -> bool:
    """Whether a run of `old` can't go on as `new`: its target, flow or seed would be others."""
    return cnf_structure(old) != cnf_structure(new)
