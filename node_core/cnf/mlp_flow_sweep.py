"""The way back through the stages of an augmented MLP field: `Linearization` with as few passes as it takes.

With a cotangent [g, -w] of [f, -tr J], and the bend b_l = d log s_l / dx_l of the pre-activation x_l,

    one hidden layer:    d_1 = s_1 o A_2^T g + w o b_1 o s_1 o c
    two hidden layers:   d_2 = s_2 o A_3^T g + w o b_2 o s_2 o (M s_1),   d_1 = s_1 o (A_2^T d_2 + b_1 o M^T (s_2 o w))
    g^T df/dz = A_1^T d_1,    sum_n w_n d tr / dM = (s_2 o w) s_1^T,    d tr / dc = s_1 w,    dW_l = d_l a_{l-1}^T

The weighted slopes s o w serve both the cotangents and the trace's gradient by M. Where w = 0 (dopri5's second stage
has no weight in the result), everything that comes from the trace is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from node_core.cnf.mlp_flow import Activations, MLPFlow, MLPFrame
from node_core.cnf.tape import FlowTape, Rows, stages_together
from node_core.fields.layout import workspace
from node_core.fields.linearization import Linearization


class SweepableMLPFlow(MLPFlow):
    """An `MLPFlow` together with its two ways back through a solve: at given stages, or from a tape."""

    def tape(self, n: int) -> FlowTape[MLPFrame]:
        """A tape for the evaluations of a solve on states (dim + 1, n)."""
        return FlowTape(self, n, stages_together(n))

    def linearize(self, ts: Sequence[float], ys: Tensor) -> Linearization:
        """Linearise at the stages (t_i, ys[i]), ys of shape (stages, n, dim + 1)."""
        n = ys.shape[1]
        size = min(len(ts), stages_together(n))

        def frame(k: int) -> MLPFrame:
            rows = slice(k * size, (k + 1) * size)
            return self._filled(ts[rows], ys[rows].transpose(1, 2), size)

        return Rows(MLPFlowSweep(self, frame, size, n, borrowed=True))

    def sweep(self, frames: Callable[[int], MLPFrame], size: int, n: int) -> Linearization:
        """The way back through the stages of these frames, `size` stages of n columns each."""
        return MLPFlowSweep(self, frames, size, n)

    def _filled(self, ts: Sequence[float], columns: Tensor, size: int) -> MLPFrame:
        """A frame with the activations at these stages, columns (stages, dim + 1, n)."""
        stages, _, n = columns.shape
        frame: MLPFrame = self.pool.take(self.kind(size, n), lambda: self.make_frame(size, n))
        for stage, t, state in zip(frame.stages, ts, columns, strict=False):
            stage.z.copy_(state[:-1])
            if stage.time is not None:
                stage.time.fill_(float(t))
        for stage in frame.stages[stages:]:
            stage.inputs[:-1].zero_()
        self.fill(frame.all)
        return frame


class MLPFlowSweep:
    """A `Linearization` of an `MLPFlow` on columns (dim + 1, n).

    Visit the stages in any order, each once; the reverse order needs the memory of one frame only.

    Args:
        flow: the field.
        frames: the activations of stages k size .. (k + 1) size - 1 for each k.
        size, n: stages in a frame, and columns of a stage.
        borrowed: the frames are this sweep's own, to be given back to the pool.
    """

    def __init__(
        self, flow: MLPFlow, frames: Callable[[int], MLPFrame], size: int, n: int, borrowed: bool = False
    ) -> None:
        self._flow, self._frames, self._size, self._n, self._borrowed = flow, frames, size, n, borrowed
        self._sums = _Sums(flow)
        self._open: dict[int, _Group] = {}
        self._visited: set[int] = set()

    def vjp(self, i: int, g: Tensor, out: Tensor | None = None) -> Tensor:
        """g^T d[f, -tr]/d[z, delta] at stage i, (dim + 1, n), in `out` if given."""
        if i in self._visited:
            raise RuntimeError(f"stage {i} already took its cotangent; linearise again for another one.")
        self._visited.add(i)
        k, member = divmod(i, self._size)
        group = self._open.get(k)
        if group is None:
            group = self._open[k] = _Group(self._flow, self._frames(k), self._size, self._n)
        found = group.vjp(member, g, out)
        if not group.left:
            self._close(k)
        return found

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """Sum over the stages visited of g_i^T d/dtheta. Ends the sweep."""
        for k in list(self._open):
            self._close(k)
        return self._sums.parameter_gradients()

    def _close(self, k: int) -> None:
        group, pool = self._open.pop(k), self._flow.pool
        group.add_to(self._sums)
        pool.give(group.kind, [group.scratch])
        if self._borrowed:
            pool.give(self._flow.kind(self._size, self._n), [group.frame])


class _Cotangents(NamedTuple):
    """Of all hidden layers' pre-activations, the last layer's weighted slopes s o w, and g."""

    deltas: Sequence[Tensor]
    weighted: Tensor
    g: Tensor


class _Scratch:
    """Memory for the cotangents of some stages side by side.

    `slope`, for those of the first layer, lies over the last layer's cotangents: the less memory is in use, the more of
    it stays in the second-level cache.
    """

    def __init__(self, like: Tensor, dim: int, widths: Sequence[int], stages: int, n: int) -> None:
        rows = [*widths[:-1], max(widths), widths[-1], dim + 1]
        block = workspace(like, sum(rows), stages * n)
        self.bytes = block.numel() * block.element_size()
        self.slope = block.split(rows)[-3][: widths[0]]

        def cotangents(block: Tensor) -> _Cotangents:
            *deltas, weighted, g = block.split(rows)
            return _Cotangents([*deltas[:-1], deltas[-1][: widths[-1]]], weighted, g)

        self.all = cotangents(block)
        self.stages = [self.all] if stages == 1 else [cotangents(part) for part in block.split(n, 1)]


class _Group:
    """Stages side by side: the last step of each product, over the batch, is done for all of them at once."""

    def __init__(self, flow: MLPFlow, frame: MLPFrame, stages: int, n: int) -> None:
        self._flow, self.frame = flow, frame
        self.left = set(range(stages))
        self.kind: tuple[Any, ...] = ("scratch", *flow.kind(stages, n))
        self.scratch: _Scratch = flow.pool.take(
            self.kind, lambda: _Scratch(flow.last, flow.dim, flow.widths, stages, n)
        )
        self._g, self._weighs = self.scratch.all.g, False

    def vjp(self, i: int, g: Tensor, out: Tensor | None) -> Tensor:
        """(dim + 1, n) -> (dim + 1, n); what the sums over the batch need stays in the scratch memory."""
        self.left.discard(i)
        flow, stage, own = self._flow, self.frame.stages[i], self.scratch.stages[i]
        if len(self.scratch.stages) == 1:
            self._g = g
        else:
            own.g.copy_(g)
        activation, transposed = flow.activation, flow.mlp.transposed_factors()
        h, last, weighted = stage.inner[-1], own.deltas[-1], own.weighted
        activation.backward_(torch.mm(flow.pull_out, g, out=last), h)
        minus_w = g[-1:]
        weighs = not all_zero(minus_w)
        if weighs:
            self._weighs = True
            # `bend` leaves out the activation's rate.
            last.addcmul_(activation.bend(stage.terms, h, weighted), minus_w, value=-activation.rate)
            activation.backward(minus_w, h, weighted)
        else:
            weighted.zero_()
        if len(own.deltas) == 1:
            return torch.mm(flow.pull_in, last, out=out)
        h, first = stage.inner[0], own.deltas[0]
        if weighs:
            torch.mm(flow.trace.core_transposed, weighted, out=first)
            activation.bend(first, h, first).addmm_(transposed[1], last, beta=-activation.rate)
        else:
            torch.mm(transposed[1], last, out=first)
        return torch.mm(flow.pull_in, activation.backward_(first, h), out=out)

    def add_to(self, sums: _Sums) -> None:
        """Add what the group contributes to the parameters' gradients."""
        for i in self.left:
            # Activations too: those of a rejected attempt may be infinite, and zero times that is no number.
            own, stage = self.scratch.stages[i], self.frame.stages[i]
            for part in (*own.deltas, own.weighted, own.g, stage.inputs[:-1], *stage.inner):
                part.zero_()
        sums.add(self.frame.all, self.scratch, self._g, self._weighs)


class _Sums:
    """Sums over stages and batch, one product a layer and group: all that the parameters' gradients are made of."""

    def __init__(self, flow: MLPFlow) -> None:
        self._flow = flow
        widths, like = flow.widths, flow.last
        self._first = like.new_zeros(flow.first.shape[1], widths[0])  # [z; t; 1] d_1^T
        self._last = like.new_zeros(flow.dim + 1, widths[-1] + 1)  # g [h; 1]^T
        two = len(widths) == 2
        self._inner = like.new_zeros(widths[1], widths[0] + 1) if two else None  # d_2 [h_1; 1]^T
        self._minus_reduced = like.new_zeros((widths[1], widths[0]) if two else widths[0])

    def add(self, kept: Activations, scratch: _Scratch, g: Tensor, weighs: bool) -> None:
        """Add a group; overwrites the last layer's cotangents."""
        found = scratch.all
        self._first.addmm_(kept.inputs, found.deltas[0].T)
        self._last.addmm_(g, kept.hidden[-1].T)
        if self._inner is not None:
            self._inner.addmm_(found.deltas[1], kept.hidden[0].T)
            if weighs:
                slope = self._flow.activation.backward(self._flow.one, kept.inner[0], scratch.slope)
                self._minus_reduced.addmm_(found.weighted, slope.T)
        elif weighs:
            self._minus_reduced.addmv_(found.weighted, kept.inputs[-1])

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """(dW_1, db_1, ..., dW_L, db_L)."""
        flow, activation = self._flow, self._flow.activation
        extra = flow.trace.factor_gradients(-self._minus_reduced)

        def layer(products: Tensor, extra: Tensor) -> tuple[Tensor, Tensor]:
            # The layer's input is a = scale h + shift; its factor in the Jacobian is gain W.
            weight, bias = products[:, :-1], products[:, -1]
            weight = torch.add(activation.scale * weight, bias.unsqueeze(1), alpha=activation.shift)
            return weight.add_(extra, alpha=activation.gain), bias

        first = self._first[:-1].T.contiguous()
        first[:, : flow.dim] += extra[0]
        gradients = [first, self._first[-1]]
        if self._inner is not None:
            gradients += layer(self._inner, extra[1])
        return (*gradients, *layer(self._last[:-1], extra[-1]))


def all_zero(row: Tensor) -> bool:
    """Whether every entry of (1, n) is zero; quick to say no."""
    return float(row[0, 0]) == 0.0 and not bool(row.any())
