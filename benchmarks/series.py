"""A training step of models of series against the same on torchdiffeq, and against Euler steps written by hand.

    python -m benchmarks.series [--rounds 15] [--out benchmarks/results/series.json]

`latent`: encoder, one solve (dopri5, 1e-3) with 100 output times for 64 spirals, decoder, likelihood, gradient, at the
weights of the shipped model: ours by each gradient mode, and torchdiffeq's `odeint` and `odeint_adjoint` with the
same net as a plain module; encoder, decoder and loss are the same code.
`gaps`: an ODE-RNN's pass over 30 observations of 64 spirals and its gradient: ours, a loop with the Euler step written
out, and `odeint` for every gap (one Euler step, or dopri5 at 1e-3), with an `MLPField` and with a plain module.
On one thread, in processor time, candidates in turn.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import torchdiffeq
from torch import Tensor, nn

from node_core import odeint
from node_core.fields.mlp.mlp import MLPField
from node_core.models.series.latent import LatentODE
from node_core.models.series.likelihood import normal_log_likelihood
from node_core.models.series.recurrent import RecurrentPredictor
from node_core.settings import SolverSettings
from node_core.training.series.build import from_start
from node_core.training.series.checkpoint import pretrained
from node_core.training.series.data import prepared
from node_core.training.series.train import trained_model

BATCH, OBSERVATIONS, NOISE, TOLERANCE = 64, 30, 0.1, 1e-3
MODES = ("backprop", "checkpointed", "interpolated", "adjoint")


class Plain(nn.Module):
    """The net of an `MLPField` with one or two hidden tanh layers as anybody writes it."""

    def __init__(self, field: MLPField) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        pairs = list(field.parameters())
        for weight, bias in zip(pairs[::2], pairs[1::2], strict=True):
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            with torch.no_grad():
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)
            layers += [layer, nn.Tanh()]
        self.net = nn.Sequential(*layers[:-1])

    def forward(self, t: Any, y: Tensor) -> Tensor:
        """Value f(y)."""
        return self.net(y)


def latent(rounds: int) -> dict[str, Any]:
    """Seconds of a latent ODE's step, all ways."""
    config, state, _ = pretrained("spirals")
    model, data = trained_model(config, state)
    assert isinstance(model, LatentODE)
    given = data.given(np.arange(BATCH), OBSERVATIONS)
    ts = from_start(data.observed.times[:100])
    noise = torch.randn(BATCH, model.latent, generator=torch.Generator().manual_seed(0))
    at = torch.searchsorted(ts, given.times)
    plain = Plain(model.field)

    def step(solve: Callable[[Tensor], Tensor], field: nn.Module) -> Tensor:
        z0 = model.encode(given, 0.0).sample(noise)
        values = model.decoder(solve(z0))[at].transpose(0, 1)
        loss = -normal_log_likelihood(values, given.values, given.mask, NOISE).sum()
        others = [p for name, p in model.named_parameters() if not name.startswith("field.")]
        gradients = torch.autograd.grad(loss, [*field.parameters(), *others])
        return torch.cat([g.flatten() for g in gradients])

    def ours(mode: str) -> Tensor:
        solver = SolverSettings(rtol=TOLERANCE, atol=TOLERANCE, gradient=mode)
        return step(lambda z0: solver.solve(model.field, z0, ts).ys, model.field)

    def theirs(solve: Callable[..., Tensor]) -> Tensor:
        return step(lambda z0: solve(plain, z0, ts.float(), rtol=TOLERANCE, atol=TOLERANCE), plain)

    candidates: dict[str, Callable[[], Tensor]] = {mode: lambda m=mode: ours(m) for mode in MODES}  # type: ignore[misc]
    candidates |= {
        "torchdiffeq backprop": lambda: theirs(torchdiffeq.odeint),
        "torchdiffeq adjoint": lambda: theirs(torchdiffeq.odeint_adjoint),
    }
    off = ours("backprop") - theirs(torchdiffeq.odeint)
    seconds = in_turn(candidates, rounds)
    return {
        "seconds": seconds,
        "gradients_apart": float(off.norm() / ours("backprop").norm()),
        "over their adjoint": seconds["torchdiffeq adjoint"] / seconds["backprop"],
        "over their backprop": seconds["torchdiffeq backprop"] / seconds["backprop"],
    }


def gaps(rounds: int) -> dict[str, Any]:
    """Seconds of an ODE-RNN's step, all ways."""
    config = replace(pretrained("spirals")[0], start="")
    given = prepared(config).given(np.arange(BATCH), OBSERVATIONS)
    model = RecurrentPredictor(2, 25, True, 25, 20, max_step=10.0)
    assert model.between is not None
    field = model.between.field
    plain = Plain(field)
    with torch.no_grad():
        packed = model(given, 0.0).packed
    starts = torch.cat((packed.times.new_zeros(BATCH, 1), packed.times[:, :-1]), 1)
    lags = (packed.times - starts).float()

    def gradient(values: Tensor, of: nn.Module) -> Tensor:
        loss = -normal_log_likelihood(values, packed.values, packed.mask > 0, NOISE).sum()
        rest = [*model.gru.parameters(), *model.decoder.parameters()]
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, [*of.parameters(), *rest])])

    def loop(of: nn.Module, over: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        inputs = torch.cat((packed.values, packed.mask, lags.unsqueeze(-1)), -1)
        state, before = inputs.new_zeros(BATCH, 25), []
        for x, lag in zip(inputs.unbind(1), lags.unbind(1), strict=True):
            state = over(state, lag.unsqueeze(1))
            before.append(state)
            state = model.gru.step(x, state)
        return gradient(model.decoder(torch.stack(before, 1)), of)

    def solver(of: nn.Module, method: str) -> Callable[[Tensor, Tensor], Tensor]:
        """Every gap by `odeint`; all rows take the mean gap, as a union grid would have it."""
        kind = {"dt": 1.0} if method == "euler" else {"rtol": TOLERANCE, "atol": TOLERANCE}

        def over(state: Tensor, lag: Tensor) -> Tensor:
            end = max(1e-3, float(lag.mean()))
            kind_now = {"dt": end} if method == "euler" else kind
            return odeint(of, state, [0.0, end], method=method, **kind_now).ys[-1]  # type: ignore[arg-type]

        return over

    candidates: dict[str, Callable[[], Tensor]] = {
        "ODE-RNN": lambda: gradient(model(given, 0.0).values, field),
        "Euler by hand, plain module": lambda: loop(plain, lambda h, lag: h + lag * plain(0.0, h)),
        "Euler by hand, MLPField": lambda: loop(field, lambda h, lag: h + lag * field(0.0, h)),
    }
    for name, of in (("MLPField", field), ("plain module", plain)):
        for method in ("euler", "dopri5"):
            candidates[f"odeint {method}, {name}"] = lambda f=of, m=method: loop(f, solver(f, m))  # type: ignore[misc]
    off = candidates["ODE-RNN"]() - candidates["Euler by hand, MLPField"]()
    seconds = in_turn(candidates, rounds)
    return {
        "seconds": seconds,
        "gradients_apart": float(off.norm() / candidates["ODE-RNN"]().norm()),
        "over Euler by hand": seconds["ODE-RNN"] / seconds["Euler by hand, plain module"],
    }


def in_turn(candidates: dict[str, Callable[[], Tensor]], rounds: int) -> dict[str, float]:
    """Median processor seconds of each; the first round warms up."""
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, call in candidates.items():
            started = time.process_time()
            call()
            if turn:
                found[name].append(time.process_time() - started)
    return {name: median(values) for name, values in found.items()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {"torch": torch.__version__, "machine": platform.machine()}
    for name, measure in (("latent", latent), ("gaps", gaps)):
        results[name] = measure(arguments.rounds)
        print(name)
        for what, seconds in results[name]["seconds"].items():
            print(f"  {what:32} {1e3 * seconds:8.1f} ms")
        print({key: round(value, 4) for key, value in results[name].items() if key != "seconds"})
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
