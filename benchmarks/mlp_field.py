"""MLPField against nn.Sequential with autograd: one call, one vjp, the stages of one step.

    OMP_NUM_THREADS=1 python -m benchmarks.mlp_field [--out mlp_field.json]

Net 2-64-64-2, float32, one thread. The candidates take turns in every round, so that a slow moment of the
machine hits all of them; the numbers are medians over the rounds and, portable between machines, ratios to
the first candidate.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.timing import Candidate, interleaved
from node_core.fields.layout import as_feature_major
from node_core.fields.mlp.mlp import MLPField

BATCHES = (64, 256, 1024)
STAGES = 6


def sequential_of(field: MLPField) -> nn.Sequential:
    """The same net, as one writes it with nn.Linear and nn.Tanh."""
    p = list(field.parameters())
    layers: list[nn.Module] = []
    for weight, bias in zip(p[::2], p[1::2], strict=True):
        linear = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0])
        with torch.no_grad():
            linear.weight.copy_(weight)
            linear.bias.copy_(bias)
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def forward_candidates(field: MLPField, module: nn.Sequential, y: Tensor) -> dict[str, Candidate]:
    """One evaluation of f without a graph."""
    compiled, columns = field.compiled(), as_feature_major(y)

    def sequential() -> Tensor:
        with torch.no_grad():
            return module(y)

    def forward() -> Tensor:
        with torch.no_grad():
            return field(0.0, columns)

    return {"nn.Sequential": sequential, "MLPField": forward, "compiled": lambda: compiled(0.0, columns)}


def vjp_candidates(field: MLPField, module: nn.Sequential, y: Tensor, g: Tensor) -> dict[str, Candidate]:
    """One evaluation of f, g^T df/dy and g^T df/dtheta."""
    compiled, columns, g_columns = field.compiled(), as_feature_major(y), as_feature_major(g)

    def by_autograd(
        f: Callable[[Tensor], Tensor], params: Sequence[Tensor], state: Tensor, g: Tensor
    ) -> object:
        leaf = state.detach().requires_grad_()
        return torch.autograd.grad(f(leaf), [leaf, *params], g)

    own, field_params = list(module.parameters()), list(field.parameters())
    return {
        "nn.Sequential + autograd": lambda: by_autograd(module, own, y, g),
        "MLPField + autograd": lambda: by_autograd(lambda s: field(0.0, s), field_params, columns, g_columns),
        "compiled.vjp": lambda: compiled.vjp(0.0, columns, g_columns),
        "compiled.vjp, y only": lambda: compiled.vjp(0.0, columns, g_columns, parameters=False),
    }


def step_candidates(field: MLPField, module: nn.Sequential, y: Tensor, g: Tensor) -> dict[str, Candidate]:
    """The reverse sweep over the stages of one Runge-Kutta step, linearization included."""
    columns, g_columns = as_feature_major(y), as_feature_major(g)
    times = [0.1 * i for i in range(STAGES)]
    params, compiled = list(module.parameters()), field.compiled()

    def generic() -> object:
        total = [torch.zeros_like(p) for p in params]
        for _ in times:
            leaf = y.detach().requires_grad_()
            found = torch.autograd.grad(module(leaf), [leaf, *params], g)
            total = [a + b for a, b in zip(total, found[1:], strict=True)]
        return total

    def closed_form() -> object:
        linearization = compiled.linearize(times, [columns] * STAGES)
        for i in reversed(range(STAGES)):
            linearization.vjp(i, g_columns)
        return linearization.parameter_gradients()

    return {"nn.Sequential, autograd": generic, "compiled.linearize": closed_form}


def measure(rounds: int, calls: int) -> list[dict[str, object]]:
    """One row a batch size and task."""
    field = MLPField(2, (64, 64))
    module = sequential_of(field)
    rows: list[dict[str, object]] = []
    for batch in BATCHES:
        generator = torch.Generator().manual_seed(batch)
        y, g = torch.randn(2, batch, 2, generator=generator).unbind()
        tasks = {
            "forward": forward_candidates(field, module, y),
            "vjp": vjp_candidates(field, module, y, g),
            f"{STAGES} stages": step_candidates(field, module, y, g),
        }
        for task, candidates in tasks.items():
            seconds = interleaved(candidates, rounds, max(1, calls * 64 // batch))
            first = next(iter(seconds.values()))
            rows += [
                {"task": task, "batch": batch, "candidate": name, "us": 1e6 * s, "ratio": first / s}
                for name, s in seconds.items()
            ]
    return rows


def main() -> None:
    """Prints the table and, if asked, writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=100, help="calls a round at batch 64")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure(arguments.rounds, arguments.calls)
    print(f"{'task':<10} {'batch':>5}  {'candidate':<26} {'us':>9} {'speed':>7}")
    for row in rows:
        task, batch, candidate, us, ratio = row.values()
        print(f"{task:<10} {batch:>5}  {candidate:<26} {us:>9.1f} {ratio:>6.1f}x")
    if arguments.out is not None:
        arguments.out.write_text(json.dumps({"torch": torch.__version__, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
