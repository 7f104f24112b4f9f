"""Stages of a solve side by side: an MLPField evaluates them, and goes back through them, together."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from node_core.fields.linearization import Time
from node_core.fields.mlp.activations import Activation
from node_core.fields.mlp.compiled import CompiledMLP

# Stages are worked on in groups of about so many columns: enough to hide the cost of a torch call, few enough
# that a group's activations stay in the second-level cache (64 x 1536 float32 = 384 KiB a layer).
GROUP_COLUMNS = 1536


def stages_together(n: int) -> int:
    """How many stages of n columns make a group."""
    return max(1, GROUP_COLUMNS // max(1, n))


class StageGroup:
    """Stages whose activations lie side by side."""

    def __init__(self, field: CompiledMLP, stages: int, n: int) -> None:
        self.stages = stages
        self.visited: set[int] = set()
        self._field, self._n = field, n
        self._space = field.take_workspace(stages, n)

    def fill(self, ts: Sequence[Time] | Tensor, states: Sequence[Tensor]) -> None:
        """Evaluate the hidden layers at all stages (t_i, y_i), y_i (dim, n), one product a layer."""
        inputs, field = self._space.inputs, self._field
        torch.cat(list(states), 1, out=inputs[: field.dim])
        if field.time_dependent:
            if isinstance(ts[0], Tensor) and ts[0].dim() > 0:
                inputs[field.dim] = torch.cat([t.reshape(-1) for t in ts if isinstance(t, Tensor)])
            else:
                times = inputs.new_tensor([float(t) for t in ts])
                inputs[field.dim].view(self.stages, self._n).copy_(times.unsqueeze(1))
        source = inputs
        weights = (field.first_affine(), *field.affine[:-1])
        for weight, hidden, inner in zip(weights, self._space.hidden, self._space.inner, strict=True):
            field.core_(torch.mm(weight, source, out=inner))
            source = hidden

    def evaluate(self, i: int, t: float, y: Tensor, out: Tensor) -> None:
        """Write f(t, y) (dim, n) into `out`, and keep stage i's activations."""
        field, space = self._field, self._space
        source = space.input_stages[i]
        space.state_stages[i].copy_(y)
        if field.time_dependent:
            source[field.dim].fill_(t)
        weight = field.first_affine()
        for k, affine in enumerate(field.affine):
            field.core_(torch.mm(weight, source, out=space.stages[k][i]))
            weight, source = affine, space.hidden_stages[k][i]
        torch.mm(weight, source, out=out)

    def vjp(self, i: int, g: Tensor, out: Tensor | None = None) -> Tensor:
        """g^T df/dy (dim, n) for g (dim, n), in `out` if given; the cotangents of all layers stay in the workspace."""
        self.visited.add(i)
        space, transposed, backward_ = self._space, self._field.transposed_factors(), self._field.backward_
        space.delta_stages[-1][i].copy_(g)
        cotangent = g
        for k in range(len(space.stages) - 1, -1, -1):
            delta = torch.mm(transposed[k + 1], cotangent, out=space.delta_stages[k][i])
            cotangent = backward_(delta, space.stages[k][i])
        return torch.mm(transposed[0], cotangent, out=out)

    def add_products(self, totals: list[Tensor] | None) -> list[Tensor] | None:
        """Add delta [input; 1]^T of every layer, summed over the stages visited: a product a layer and run of them."""
        space, n = self._space, self._n
        for first, last in runs(self.visited):
            columns = slice(first * n, last * n)
            pairs = [
                (delta[:, columns], source[:, columns].T)
                for delta, source in zip(space.deltas, (space.inputs, *space.hidden), strict=True)
            ]
            if totals is None:
                totals = [torch.mm(delta, source) for delta, source in pairs]
            else:
                for total, (delta, source) in zip(totals, pairs, strict=True):
                    total.addmm_(delta, source)
        return totals

    def time_gradients(self) -> Tensor:
        """g_i^T df/dt of every stage and sample, (stages, n); zero where none was visited."""
        column = self._field.time_column
        assert column is not None
        for i in set(range(self.stages)) - self.visited:
            self._space.delta_stages[0][i].zero_()
        return torch.mm(column.T, self._space.deltas[0]).view(self.stages, self._n)

    def release(self) -> None:
        """Gives the memory back to the field; the group is used up."""
        self._field.give_workspace(self.stages, self._n, self._space)


def runs(members: Collection[int]) -> list[tuple[int, int]]:
    """The members as ranges [first, last) of neighbours."""
    found: list[tuple[int, int]] = []
    for i in sorted(members):
        if found and found[-1][1] == i:
            found[-1] = (found[-1][0], i + 1)
        else:
            found.append((i, i + 1))
    return found


def gradients_of(activation: Activation, totals: Sequence[Tensor]) -> list[Tensor]:
    """(dW_1, db_1, ..., dW_L, db_L) from the sums of delta [input; 1]^T, a layer's input being scale h + shift."""
    gradients = [totals[0][:, :-1], totals[0][:, -1]]
    for total in totals[1:]:
        weight, bias = total[:, :-1], total[:, -1]
        if activation.shift:
            weight = torch.add(bias.unsqueeze(1) * activation.shift, weight, alpha=activation.scale)
        elif activation.scale != 1.0:
            weight = weight * activation.scale
        gradients += [weight, bias]
    return gradients
