"""MLPField linearised at many stage states at once: batched forward, cheap backward products a stage."""

from collections.abc import Sequence

import torch
from torch import Tensor

from node_core.fields.layout import from_columns, to_columns
from node_core.fields.linearization import Time
from node_core.fields.mlp.compiled import CompiledMLP
from node_core.fields.mlp.stages import StageGroup, gradients_of, stages_together


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
        self, field: CompiledMLP, ts: Sequence[Time] | Tensor, ys: Sequence[Tensor] | Tensor
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
        self._totals: list[Tensor] | None = None
        with torch.no_grad():
            self._ts, self._states = ts, [to_columns(y) for y in ys]
            n = self._states[0].shape[1]
            self._times = self._states[0].new_zeros(len(ys), n)
            self._size = stages_together(n)
            # Made when the sweep comes to them, so that they can take over each other's memory.
            self._groups: dict[int, StageGroup] = {}
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
            states = self._states[first:last]
            group = self._groups[k] = StageGroup(self._field, len(states), states[0].shape[1])
            group.fill(self._ts[first:last], states)
        if group is None or member in group.visited:
            raise RuntimeError(f"stage {i} already took its cotangent; linearise again for another one.")
        gy = group.vjp(member, to_columns(g))
        if len(group.visited) == group.stages:
            self._close(k)
        return from_columns(gy, self._shape)

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """sum_i g_i^T df/dtheta over the stages visited, in the parameters' order. Ends the sweep."""
        self._close_all()
        if self._totals is None:
            return self._field.zero_gradients()
        return tuple(gradients_of(self._field.activation, self._totals))

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
        self._totals = group.add_products(self._totals)
        if self._field.time_dependent:
            self._times[k * self._size : k * self._size + group.stages] = group.time_gradients()
        group.release()
