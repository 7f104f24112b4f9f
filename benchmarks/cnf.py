"""Continuous normalizing flows against torchdiffeq's example: a likelihood and its gradient, at equal weights.

    OMP_NUM_THREADS=1 python -m benchmarks.cnf [--out cnf.json] [--train]

B = 512 points in the plane, exact trace, float32, dopri5 at 1e-5 with the same (integral) step controller, t from 1
to 0, one thread. The candidates take turns in every round, so that a slow moment of the machine hits all of them; the
numbers are medians over the rounds and, portable between machines, ratios. Function evaluations and the errors of loss
and gradient against a solve at 1e-10 in float64 are printed beside them. torchdiffeq differentiates through the solver,
which is how its example runs, or by the continuous adjoint (the example's --adjoint).

With --train, a flow also learns the eight Gaussians, and two moons for a minute: how far it stays from the entropy, and
after how many seconds of training its likelihood of held-out points first comes, and stays, within 0.15 nats of its
final value. The clock stands still while that is measured.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.cnf_peer import PeerFlow, peer_nll, peer_of
from benchmarks.timing import interleaved
from node_core.cnf.continuous import CNF
from node_core.cnf.hypernetwork import HypernetworkField
from node_core.cnf.painted import TargetConfig
from node_core.fields.mlp.mlp import MLPField
from node_core.settings import SolverSettings
from node_core.training.flow.build import entropy_of
from node_core.training.flow.config import CNFConfig
from node_core.training.flow.train import FlowTrainer

BATCH, TOLERANCE, T1 = 512, 1e-5, 1.0
CURVE_POINTS, CURVE_EVERY = 2_000, 10  # held-out points, and iterations between their likelihoods
GAIN = 2.0  # on the initial weights, so that the flow really moves
Result = tuple[float, int, Sequence[Tensor]]


def fields() -> dict[str, MLPField | HypernetworkField]:
    """The two fields of the comparison."""
    found: dict[str, MLPField | HypernetworkField] = {
        "MLP 2-64-64-2": MLPField(2, (64, 64)),
        "hypernetwork, width 64": HypernetworkField(2, 64, 32),
    }
    for field in found.values():
        with torch.no_grad():
            for p in field.parameters():
                p.mul_(GAIN)
    return found


def flow_of(field: nn.Module, tolerance: float = TOLERANCE) -> CNF:
    """Our flow of a field; one for all its solves, as in training."""
    return CNF(field, t1=T1, solver=SolverSettings(rtol=tolerance, atol=tolerance))


def ours(flow: CNF, x: Tensor) -> Result:
    """Loss, function evaluations and gradient of our flow."""
    found = flow.inverse(x)
    loss = -(flow.base.log_prob(found.points) + found.log_det).mean()
    gradient = torch.autograd.grad(loss, list(flow.parameters()))
    return loss.item(), found.solution.stats.nfe, gradient


def theirs(peer: PeerFlow, x: Tensor, adjoint: bool) -> Result:
    """Loss, function evaluations (forward) and gradient of the peer."""
    peer.nfe = 0
    loss = peer_nll(peer, x.clone(), T1, TOLERANCE, adjoint)
    nfe = peer.nfe
    return loss.item(), nfe, torch.autograd.grad(loss, list(peer.parameters()))


def error(gradient: Sequence[Tensor], exact: Sequence[Tensor]) -> float:
    """Relative error of a gradient, in the Euclidean norm."""
    difference = sum(float((a.double() - b).square().sum()) for a, b in zip(gradient, exact, strict=True))
    return (difference / sum(float(b.square().sum()) for b in exact)) ** 0.5


def compare(name: str, field: MLPField | HypernetworkField, rounds: int) -> list[dict[str, Any]]:
    """One row a candidate."""
    x = 1.5 * torch.randn((BATCH, 2), generator=torch.Generator().manual_seed(0))
    exact_loss, _, exact = ours(flow_of(copy.deepcopy(field).double(), 1e-10), x.double())
    peer, flow = peer_of(field), flow_of(field)
    candidates: dict[str, Callable[[], Result]] = {
        "torchdiffeq": lambda: theirs(peer, x, False),
        "torchdiffeq, adjoint": lambda: theirs(peer, x, True),
        "node_core": lambda: ours(flow, x),
    }
    found = {candidate: call() for candidate, call in candidates.items()}
    seconds = interleaved(candidates, rounds)
    return [
        {
            "field": name,
            "candidate": candidate,
            "ms": 1e3 * seconds[candidate],
            "node_core is faster by": seconds[candidate] / seconds["node_core"],
            "nfe": found[candidate][1],
            "loss error": abs(found[candidate][0] - exact_loss),
            "gradient error": error(found[candidate][2], exact),
        }
        for candidate in candidates
    ]


def learn(name: str, iterations: int, limit: float) -> dict[str, Any]:
    """Train on a target for some iterations or seconds: how near it comes to its entropy, in nats, and how soon."""
    config = CNFConfig(
        TargetConfig(name), hidden=(64, 64), batch=512, lr=0.01, lr_end=0.05, iterations=iterations
    )
    trainer = FlowTrainer(config)
    x = torch.from_numpy(trainer.target.sample(10_000, 12345))
    seconds, curve = 0.0, [(0.0, held_out_nll(trainer, x[:CURVE_POINTS]))]
    while trainer.iteration < iterations and seconds < limit:
        started = time.perf_counter()
        trainer.iterate()
        seconds += time.perf_counter() - started
        if trainer.iteration % CURVE_EVERY == 0:
            curve.append((seconds, held_out_nll(trainer, x[:CURVE_POINTS])))
    curve.append((seconds, held_out_nll(trainer, x[:CURVE_POINTS])))
    nll, best = held_out_nll(trainer, x), entropy_of(config.target)
    assert best is not None
    return {
        "target": name,
        "iterations": trainer.iteration,
        "seconds": seconds,
        "seconds to 0.15 nats": seconds_to(curve, 0.15),
        "nll": nll,
        "entropy": best,
        "gap": nll - best,
    }


def held_out_nll(trainer: FlowTrainer, x: Tensor) -> float:
    """Mean negative log-likelihood of points that the training does not see."""
    with torch.no_grad():
        return -float(trainer.flow.log_prob(x).mean())


def seconds_to(curve: Sequence[tuple[float, float]], near: float) -> float:
    """When a curve of (seconds, nll) comes within `near` of its last value for good."""
    reached = curve[-1][0]
    for seconds, nll in reversed(curve):
        if nll > curve[-1][1] + near:
            break
        reached = seconds
    return reached


def main() -> None:
    """Prints the tables and, if asked, writes them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--train", action="store_true", help="also train on two targets (minutes)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for name, field in fields().items() for row in compare(name, field, arguments.rounds)]
    print(
        f"{'field':<24} {'candidate':<22} {'ms':>8} {'ratio':>7} {'nfe':>5} {'loss error':>11} {'grad error':>11}"
    )
    for row in rows:
        field, candidate, ms, ratio, nfe, loss, gradient = row.values()
        print(
            f"{field:<24} {candidate:<22} {ms:>8.2f} {ratio:>6.1f}x {nfe:>5} {loss:>11.1e} {gradient:>11.1e}"
        )
    trained = []
    if arguments.train:
        trained = [learn("eight_gaussians", 600, 600.0), learn("two_moons", 600, 60.0)]
        for entry in trained:
            print(", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in entry.items()))
    if arguments.out is not None:
        arguments.out.write_text(
            json.dumps({"torch": torch.__version__, "rows": rows, "trained": trained}, indent=1)
        )


if __name__ == "__main__":
    main()
