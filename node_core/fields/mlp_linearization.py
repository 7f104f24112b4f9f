"""MLPField linearised at many stage states at once: batched forward, cheap backward products a stage."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from node_core.fields.layout import from_columns, to_columns, workspace
from node_core.fields.mlp_derivatives import layer_gradient

if TYPE_CHECKING:
    from node_core.fields.linearization import Time
    from node_core.fields.mlp_compiled import CompiledMLP

# Stages are worked on in groups of about so many columns: enough to hide the cost of a torch call, few enough
# that a group's activations stay in the second-level cache (64 x 1536 float32 = 384 KiB a layer).
GROUP_COLUMNS = 1536


class MLPLinearization:
    """`Linearization` (linearization.py) of an MLPField at the stages (t_i, y_i).

    field       the compiled field (a snapshot of the weights)
    ts          stage times: floats, 0-d tensors, a tensor (n_stages,), or per-sample tensors (..., 1)
    ys          stage states (..., dim), all of one shape: a list, or stacked (n_stages, ..., dim)

    The hidden activations of a group of stages (all stages of a step at small batches) come from one product
    a layer; `vjp` does the backward products of its stage and leaves the hidden cotangents in place; when a
    group's last stage is done, one product a layer makes the group's parameter gradients and its memory is
    given back. Memory: 2 * width * n_stages * batch numbers a hidden layer at most. Raises ValueError if
    there are no stages, or not one time a state.
    """

    def __init__(
        self, field: "CompiledMLP", ts: "Sequence[Time] | Tensor", ys: Sequence[Tensor] | Tensor
    ) -> None:
        if len(ts) != len(ys):
            raise ValueError(
                f"got {len(ts)} stage times for {len(ys)} stage states; give one time per state."
            )
        if len(ys) == 0:
            raise ValueError("got no stage states; give at least one.")
        self._field = field
        self._shape = ys[0].shape
        self._per_sample = isinstance(ts[0], Tensor) and ts[0].dim() > 0
        self._gradients: list[Tensor] | None = None
        with torch.no_grad():
            self._ts, self._states = ts, [to_columns(y) for y in ys]
            n = self._states[0].shape[1]
            self._times = self._states[0].new_zeros(len(ys), n)
            self._size = max(1, GROUP_COLUMNS // max(1, n))
            # Made when the sweep comes to them, so that they can take over each other's memory.
            self._groups: dict[int, _Group] = {}
            self._closed: set[int] = set()

    def vjp(self, i: int, g: Tensor) -> Tensor:
        """g^T df/dy at stage i, shape of y_i. Raises RuntimeError at a stage's second cotangent."""
        if torch.is_grad_enabled():
            # Backward passes come here with autograd off already; only others pay for the context.
            with torch.no_grad():
                return self.vjp(i, g)
        k, member = divmod(i, self._size)
        group = self._groups.get(k)
        if group is None and k not in self._closed:
            first = k * self._size
            last = first + self._size
            group = self._groups[k] = _Group(self._field, self._ts[first:last], self._states[first:last])
        if group is None or member in group.visited:
            raise RuntimeError(f"stage {i} already took its cotangent; linearise again for another one.")
        gy = group.vjp(member, to_columns(g))
        if len(group.visited) == group.stages:
            self._close(k)
        return from_columns(gy, self._shape)

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """sum_i g_i^T df/dtheta over the stages visited, in the parameters' order. Ends the sweep."""
        self._close_all()
        if self._gradients is None:
            return self._field.zero_gradients()
        return tuple(self._gradients)

    def time_gradients(self) -> Tensor:
        """g_i^T df/dt: (n_stages,), or (n_stages, ..., 1) if per sample; 0 if autonomous. Ends the sweep."""
        self._close_all()
        if self._per_sample:
            return self._times.view(self._times.shape[0], *self._shape[:-1], 1)
        return self._times.sum(1)

    def _close_all(self) -> None:
        with torch.no_grad():
            for k in list(self._groups):
                self._close(k)

    def _close(self, k: int) -> None:
        """Adds group k to the gradients and forgets it."""
        group = self._groups.pop(k)
        self._closed.add(k)
        group.clear_unvisited()
        found = group.parameter_gradients()
        if self._gradients is None:
            self._gradients = found
        else:
            for total, term in zip(self._gradients, found, strict=True):
                total.add_(term)
        if self._field.time_dependent:
            self._times[k * self._size : k * self._size + group.stages] = group.time_gradients()
        group.release()


class StageWorkspace:
    """Memory of one group: layers as (width, stages * n), and views (width, n) of its stages.

    inputs    [y; t; 1]; `hidden` likewise ends in a row of ones, `inner` is hidden without it
    deltas    cotangents of all layers' pre-activations, the last that of f

    A field keeps those that are free: fresh memory costs as much in page faults as the products.
    """

    def __init__(self, like: Tensor, rows: Sequence[int], widths: Sequence[int], stages: int, n: int) -> None:
        self.inputs = like.new_ones(rows[0], stages * n)
        self.ones = self.inputs[-1]
        self.hidden = [workspace(like, k + 1, stages * n) for k in widths]
        for h in self.hidden:
            h[-1].fill_(1.0)
        self.inner = [h[:-1] for h in self.hidden]
        self.deltas = [workspace(like, k, stages * n) for k in (*widths, rows[1])]
        # unbind gives all stages' views in one call.
        self.stages = [h.unflatten(1, (stages, n)).unbind(1) for h in self.inner]
        self.delta_stages = [d.unflatten(1, (stages, n)).unbind(1) for d in self.deltas]


class _Group:
    """Stages whose activations lie side by side."""

    def __init__(self, field: "CompiledMLP", ts: "Sequence[Time] | Tensor", states: Sequence[Tensor]) -> None:
        self._field = field
        self.stages = len(states)
        self.visited: set[int] = set()
        self._n = states[0].shape[1]
        self._space = field.take_workspace(self.stages, self._n)
        self._fill_inputs(ts, states)
        source = self._space.inputs
        weights = (field.first_affine(), *field.affine[:-1])
        for weight, hidden, inner in zip(weights, self._space.hidden, self._space.inner, strict=True):
            field.core_(torch.mm(weight, source, out=inner))
            source = hidden

    def vjp(self, i: int, g: Tensor) -> Tensor:
        """g^T df/dy (dim, n) for g (dim, n); the cotangents of all layers stay in the workspace."""
        self.visited.add(i)
        space, transposed, backward_ = self._space, self._field.transposed_factors(), self._field.backward_
        space.delta_stages[-1][i].copy_(g)
        cotangent = g
        for k in range(len(space.stages) - 1, -1, -1):
            delta = torch.mm(transposed[k + 1], cotangent, out=space.delta_stages[k][i])
            cotangent = backward_(delta, space.stages[k][i])
        return torch.mm(transposed[0], cotangent)

    def clear_unvisited(self) -> None:
        """Stages that took no cotangent count as zero."""
        for i in set(range(self.stages)) - self.visited:
            for views in self._space.delta_stages:
                views[i].zero_()

    def parameter_gradients(self) -> list[Tensor]:
        """(dW_1, db_1, ..., dW_L, db_L) summed over the stages, one product a layer."""
        space = self._space
        first = space.deltas[0]
        gradients = [torch.mm(first, space.inputs[:-1].T), torch.mv(first, space.ones)]
        for delta, h in zip(space.deltas[1:], space.inner, strict=True):
            gradients += layer_gradient(self._field.activation, delta, h, space.ones)
        return gradients

    def time_gradients(self) -> Tensor:
        """g_i^T df/dt of every stage and sample, (stages, n)."""
        column = self._field.time_column
        assert column is not None
        return torch.mm(column.T, self._space.deltas[0]).view(self.stages, self._n)

    def release(self) -> None:
        """Gives the memory back to the field; the group is used up."""
        self._field.give_workspace(self.stages, self._n, self._space)

    def _fill_inputs(self, ts: "Sequence[Time] | Tensor", states: Sequence[Tensor]) -> None:
        inputs, dim = self._space.inputs, self._field.dim
        torch.cat(list(states), 1, out=inputs[:dim])
        if self._field.time_dependent:
            if isinstance(ts[0], Tensor) and ts[0].dim() > 0:
                inputs[dim] = torch.cat([t.reshape(-1) for t in ts if isinstance(t, Tensor)])
            else:
                times = inputs.new_tensor([float(t) for t in ts])
                inputs[dim].view(self.stages, self._n).copy_(times.unsqueeze(1))
