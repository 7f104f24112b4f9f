"""The frozen configuration of a flow's training: which density, which flow, how it is fitted.

Nothing here imports torch: pages make these, workers use them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from node_core.checks import check_choice, check_fields
from node_core.cnf.painted import TargetConfig
from node_core.cnf.targets import TARGETS
from node_core.gradients.names import GRADIENTS
from node_core.solvers.methods import method_named
from node_core.training.limits import (
    ACTIVATIONS,
    MAX_FIXED_STEPS,
    MAX_ITERATIONS,
    check_hidden,
    check_solver,
    check_start,
    digest_of,
)

FlowName = Literal["cnf", "planar", "realnvp"]
FieldName = Literal["mlp", "hypernetwork"]
BaseName = Literal["normal", "mixture", "disc"]
Objective = Literal["likelihood", "reverse_kl", "forward_kl", "flow_matching", "ot_flow_matching", "reflow"]
MATCHING: tuple[Objective, ...] = ("flow_matching", "ot_flow_matching", "reflow")
"""Objectives for which no ODE is solved."""
TEACHER = "teacher"
"""Of what a state carries, the weights of the flow that joins the pairs of "reflow", flat."""
PARTICLES = 200  # whose paths a live picture shows

DivergenceName = Literal["exact", "hutchinson", "hutch++"]
NoiseName = Literal["gaussian", "rademacher"]


@dataclass(frozen=True)
class CNFConfig:
    """Everything that determines the training of a flow.

    The fields up to `start` are its structure: a change means a new run (`cnf_needs_reset`). The others may change
    while it goes on, and so may the objective among those that learn from samples: the net is kept.

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
            weights p / q of the flow's own samples, so that p is needed only up to a factor as well. Of a CNF also
            "flow_matching": the velocities of straight paths between noise and samples of the target are learned, with
            no ODE solved; "ot_flow_matching": the same with pairs that optimal transport has joined;
            "reflow": the same with pairs that the flow itself has joined, as it was when this objective was taken
            (see `node_core.cnf.matching`).
        seed: of weights, batches and noise.
        start: name of a pre-trained flow in assets/cnf/checkpoints to begin with; "" for random weights.
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
        check_fields(self, words=_WORDS, whole=_WHOLE, ranges=_RANGES)
        check_hidden(self.hidden)
        check_start(self.start)
        self._check_target()
        self._check_solver()
        self._check_matching()

    def _check_target(self) -> None:
        name = self.target.name
        check_choice("target", name, (*TARGETS, "drawn", "image"))
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
        check_solver(self.method, self.gradient)
        if not method.adaptive and self.t1 / self.dt > MAX_FIXED_STEPS:
            raise ValueError(
                f"dt = {self.dt}: that would be more than {MAX_FIXED_STEPS} steps, choose at least "
                f"{self.t1 / MAX_FIXED_STEPS:g}."
            )

    def _check_matching(self) -> None:
        if self.objective not in MATCHING:
            return
        if self.flow != "cnf":
            raise ValueError(
                f"objective = {self.objective!r} needs a field in time, which flow = {self.flow!r} has not: take "
                "flow = 'cnf', or objective = 'likelihood'."
            )
        if self.penalties:
            raise ValueError(
                f"kinetic and jacobian are integrals over a solve, and objective = {self.objective!r} solves nothing: "
                "set both to 0, or take objective = 'likelihood'."
            )

    @property
    def learns_from(self) -> str:
        """What the objective needs, as part of the structure: "likelihood" stands for all that learn from samples."""
        return self.objective if self.objective in ("reverse_kl", "forward_kl") else "likelihood"

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
_WHOLE: dict[str, tuple[int, int]] = {
    "width": (1, 256),
    "hyper_hidden": (1, 256),
    "depth": (1, 64),
    "seed": (0, 2**31 - 1),
    "batch": (1, 20_000),
    "iterations": (1, MAX_ITERATIONS),
}
_RANGES: dict[str, tuple[float, float]] = {
    "t1": (1e-3, 10),
    "rtol": (1e-6, 0.5),
    "atol": (1e-7, 0.5),
    "dt": (1e-6, 10),
    "kinetic": (0, 100),
    "jacobian": (0, 100),
    "lr": (1e-8, 100),
    "lr_end": (0, 1),
}

_NAMES = tuple(entry.name for entry in fields(CNFConfig))
STRUCTURE = _NAMES[: _NAMES.index("t1")]
LIVE_FIELDS = ("objective", *_NAMES[_NAMES.index("t1") :])
"""Fields that a message may change while the run goes on, unless `cnf_needs_reset` says otherwise."""


@functools.lru_cache(maxsize=8)
def cnf_structure(config: CNFConfig) -> str:
    """Digest of what a running state belongs to."""
    names = {"objective": "learns_from"}
    return digest_of((name, getattr(config, names.get(name, name))) for name in STRUCTURE)


def cnf_needs_reset(old: CNFConfig, new: CNFConfig) -> bool:
    """Whether a run of `old` can't go on as `new`: its target, flow or seed would be others."""
    return cnf_structure(old) != cnf_structure(new)
