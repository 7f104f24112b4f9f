"""A flow's training as it is seen beside others that train the same field in another way.

What is trained is the same (see `train`); the picture shows what the ways are compared by, measured on the same samples
and the same noise for all of them. Arrays for the canvas (`node_core.runs.snapshot`):

    trajectories (T, n, 2), trajectory_ts (T,)      exact paths, noise to data
    deviation (n,)                                  how far each leaves its chord, at its worst
    euler_1, euler_2, ... (m, 2)                    samples in so many Euler steps, from the same noise
    grid (h, w) u1                                  the target's density, over its own maximum

Scalars: `nll` (nats, at a tolerance of 1e-3 or finer), `straightness`, `nfe_forward` of a solve from data to noise,
`energy` (the energy distance of exact samples to the target's) and `energy_1`, ... of those in Euler steps,
`energy_chance` (see `chance_of`). A row of its history has `nll` and `seconds` of processor time spent training.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from node_core.cnf.continuous import CNF
from node_core.cnf.painted import TargetConfig
from node_core.cnf.straightness import chord_distance, energy_distance, euler_samples, unevenness
from node_core.cnf.targets import Target
from node_core.runs.chunk import Clock
from node_core.runs.snapshot import Row, Scalar, Snapshot
from node_core.runs.state import Kept, TrainState
from node_core.training.flow.build import entropy_of, map_of, target_of
from node_core.training.flow.checkpoint import history_of
from node_core.training.flow.config import CNFConfig
from node_core.training.flow.train import FlowTrainer
from node_core.training.flow.train import keep as keep
from node_core.training.flow.train import resume as resume
from node_core.training.flow.ways import EULER_STEPS
from node_core.training.trainer import Drawn, advance_run

HELD_OUT = 1000  # samples of the target that no iteration has seen, and as many of the flow
SHOWN = 300  # of them are drawn
PATHS, TIMES = 100, 33
FINE = 1e-3
CELLS = 64
LOOKS = 25  # pictures of a training beforehand, for its curve
_SEED = 7_003


class ComparedTrainer(FlowTrainer):
    """As `FlowTrainer`; its pictures are for comparison with others."""

    def iterate(self) -> Row:
        """One iteration, and the processor time it took."""
        before, started = self.row.get("seconds", self._spent), time.process_time()
        super().iterate()
        self.row = {**self.row, "seconds": before + time.process_time() - started}
        return self.row

    @torch.no_grad()
    def draw(self, dear: bool) -> Drawn:
        """The likelihood of samples that were held out, and some paths."""
        flow, target = self._cnf, self.target
        x = _held_out(self.config.target)
        back, own = flow.inverse(x), flow.solver
        nfe = back.solution.stats.nfe
        if own.rtol > FINE or own.dt is not None:  # what is solved so coarsely sums to no density
            flow.solver = replace(own, method="dopri5", rtol=FINE, atol=FINE, dt=None)
            back, flow.solver = flow.inverse(x), own
        log_q = flow.base.log_prob(back.points) + back.log_det
        nll = nll_of(target, x, log_q, entropy_of(self.config.target))
        paths = flow.trajectory(flow.base.sample(PATHS, _SEED), TIMES)
        best = entropy_of(self.config.target)
        (x0, x1), (y0, y1) = target.extent
        arrays: dict[str, np.ndarray] = {
            "trajectories": paths.z.numpy(),
            "trajectory_ts": paths.ts.float().numpy(),
            "deviation": chord_distance(paths.ts, paths.z).numpy(),
            "grid": map_of(self.config.target, CELLS),
        }
        scalars: dict[str, Scalar] = {
            "t0": flow.t0,
            "t1": flow.t1,
            "dim": 2,
            "path": "curve",
            "extent": [x0, x1, y0, y1],
            "grid_kind": "density",
            "nll": nll,
            "entropy": best,
            "gap": None if best is None else nll - best,
            "straightness": float(unevenness(flow, paths).mean()),
            "nfe": nfe,
            "parameters": sum(p.numel() for p in flow.parameters()),
            "status": "ok",
        }
        return Drawn(arrays, scalars, nll, row={"nll": nll})

    def draw_dear(self, drawn: Drawn) -> Kept:
        """Samples in few Euler steps, and how far they are from the target's."""
        flow, x = self._cnf, _held_out(self.config.target)
        z = flow.base.sample(HELD_OUT, _SEED)
        arrays, scalars = euler_ladder(flow, z, x)
        return Kept(arrays, {**scalars, "energy_chance": chance_of(self.config.target)})

    def tell(self, drawn: Drawn, shown: Row) -> dict[str, Scalar]:
        """What all of them are told by, whatever their loss is."""
        words = f"Iteration {self.iteration}: {drawn.loss:.3f} nats."
        return {
            "message": words,
            "loss": None,
            "nfe_forward": drawn.scalars["nfe"],
            "nfe_backward": None,
            "seconds": shown.get("seconds", self._spent),
        }

    @property
    def _cnf(self) -> CNF:
        assert isinstance(self.flow, CNF)
        return self.flow

    @property
    def _spent(self) -> float:
        """Processor time that weights trained beforehand have cost (s)."""
        rows = history_of(self.config.start) if self.config.start else ()
        return rows[-1].get("seconds", 0.0) if rows else 0.0


def euler_ladder(flow: CNF, z: Tensor, x: Tensor) -> tuple[dict[str, np.ndarray], dict[str, Scalar]]:
    """Samples from the noise z in 1 to 32 Euler steps, and how far each cloud, and the exact one, is from x."""
    arrays: dict[str, np.ndarray] = {}
    with torch.no_grad():
        ends = flow.solver.solve(flow.field, z, [flow.t0, flow.t1], dense=False).ys[-1]
    scalars: dict[str, Scalar] = {"energy": _finite(energy_distance(ends, x))}
    for steps in EULER_STEPS:
        found = euler_samples(flow, z, steps)
        scalars[f"energy_{steps}"] = _finite(energy_distance(found, x))
        arrays[f"euler_{steps}"] = found[:SHOWN].numpy().copy()
    return arrays, scalars


def nll_of(target: Target, x: Tensor, log_q: Tensor, entropy: float | None) -> float:
    """The cross entropy -E_p[log q] (nats) by samples x of p.

    Where p is known it is H(p) + the mean of log p(x) - log q(x): most of the samples' chance is in both, and cancels,
    so that nobody seems to beat the entropy by the luck of the draw.
    """
    if target.log_density is None or entropy is None:
        return float(-log_q.mean())
    log_p = torch.from_numpy(np.asarray(target.log_density(x.numpy()), dtype=np.float32))
    return entropy + float((log_p - log_q).mean())


@functools.lru_cache(maxsize=8)
def chance_of(config: TargetConfig, pairs: int = 10) -> float:
    """The largest energy distance among pairs of clouds of the target itself: below it nothing is to be seen."""
    target = target_of(config)
    clouds = [torch.from_numpy(target.sample(HELD_OUT, _SEED + 1 + k)) for k in range(2 * pairs)]
    return max(abs(energy_distance(a, b)) for a, b in zip(clouds[::2], clouds[1::2], strict=True))


@functools.lru_cache(maxsize=8)
def _held_out(config: TargetConfig) -> Tensor:
    return torch.from_numpy(target_of(config).sample(HELD_OUT, _SEED))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def advance(
    config: CNFConfig,
    state: TrainState | None,
    budget: float,
    *,
    most: int | None = None,
    clock: Clock = time.time,
) -> tuple[Snapshot, TrainState]:
    """One chunk of a live run; see `node_core.training.trainer.advance_run`.

    Its history has a row a picture, and not an iteration: thousands of those are made in seconds, and only where a
    picture is drawn the likelihood is known.
    """
    if (
        state is not None and budget == 0
    ):  # the solver, or the objective, may be another than that of the last picture
        state = replace(state, kept=Kept())
    snapshot, after = advance_run(ComparedTrainer, history_of, config, state, budget, clock, most)
    return replace(snapshot, rows=tuple(row for row in snapshot.rows if "nll" in row)), after


def trained_by(
    configs: Sequence[CNFConfig],
    state: TrainState | None = None,
    rows: Sequence[Row] = (),
    looks: int = LOOKS,
) -> tuple[ComparedTrainer, list[Row]]:
    """Train one part after the other, each to its own last iteration, and look now and then.

    Args:
        configs: of the parts.
        state: where to begin; None for random weights.
        rows: the history that led there.
        looks: pictures a part.

    Returns:
        The last trainer, and the history.
    """
    history = list(rows)
    for config in configs:
        trainer = ComparedTrainer(config, state)
        every = max(1, (config.iterations - trainer.iteration) // looks)
        while trainer.iteration < config.iterations:
            count = min(every, config.iterations - trainer.iteration)
            new = tuple(trainer.iterate() for _ in range(count))
            history += trainer.snapshot(dear=False, rows=new).rows[-1:]
        state = trainer.export()
    return trainer, history
