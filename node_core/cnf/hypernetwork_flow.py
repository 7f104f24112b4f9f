"""The augmented field [f, -tr df/dz] of a HypernetworkField in closed form: values, and all stages of a solve.

With h = sigmoid(2 (W z + B)), its slope s = h (1 - h), and c_m = W_m . U_m,

    f = 2 U^T h - U^T 1,    tr = 4 c^T s

Of a cotangent [g, -w], the hidden pre-activation receives d = s o (4 U g + 8 c o w o (1 - 2 h)), and

    g^T df/dz = W^T d,   dW = d z^T + dc o U,   dB = d 1,   dU = 2 h g^T - 1 g^T + dc o W,   dc = 4 s w

The derivatives by the hypernetwork's own weights follow from those of all stages together, at the end of a sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from node_core.cnf.tape import FlowTape, Pool, Rows
from node_core.fields.layout import workspace
from node_core.fields.linearization import Linearization
from node_core.fields.mlp.activations import TANH
from node_core.fields.mlp.compiled import VJP

LARGEST_KEPT = 2048  # columns
_KEPT_TIMES = 1000


class UnitWeights:
    """The weights at one time, as the products want them.

    Attributes:
        first: [2 W, 2 B], (width, dim + 1): hidden = sigmoid(first [z; 1]).
        value: (dim + 1, 2 width + 1): [f, -tr] = value [h; 1; s].
        last: 2 U^T, (dim, width); shift: -sum U, (dim,); minus_c: -4 c, (width,): the blocks of `value`.
        pull_in: 2 W^T over a row of zeros, (dim + 1, width).
        pull_out: 2 U beside a column of zeros, (width, dim + 1).
    """

    def __init__(self, like: Tensor, dim: int, width: int) -> None:
        self.outputs = like.new_empty(width * (3 * dim + 1))
        first, self.v, self.gate = self.outputs.split([width * (dim + 1), width * dim, width * dim])
        self.first = first.view(width, dim + 1)
        self.value = like.new_zeros(dim + 1, 2 * width + 1)
        self.last, self.shift = self.value[:dim, :width], self.value[:dim, width]
        self.minus_c = self.value[dim, width + 1 :]
        self.v, self.gate = self.v.view(dim, width), self.gate.view(dim, width)
        self.transposed = self.first[:, :dim].T
        self.pull_in = like.new_zeros(dim + 1, width)
        self.pull_out = self.value[:, :width].T
        self.products = like.new_empty(dim, width)
        self.bytes = 4 * self.outputs.numel() * like.element_size()


class HypernetworkStage:
    """What one evaluation computed.

    Attributes:
        inputs: [z; 1], (dim + 1, n).
        tail: [h; 1; s], (2 width + 1, n).
        t, weights: the time and the field's weights then.
    """

    def __init__(self, like: Tensor, dim: int, width: int, n: int) -> None:
        block = workspace(like, dim + 2 + 2 * width, n)
        self.bytes = block.numel() * block.element_size()
        self.inputs, self.tail = block.split([dim + 1, 2 * width + 1])
        self.z = self.inputs[:-1]
        self.h, ones, self.slope = self.tail.split([width, 1, width])
        ones.fill_(1.0)
        self.inputs[-1].fill_(1.0)
        self.weights: UnitWeights
        self.t = 0.0
        self.stages = [self]


class HypernetworkFlow:
    """[f, -tr df/dz] at fixed parameters on states (n, dim + 1) = [z, delta], for one solve, outside of autograd.

    Args:
        dim, width: of the field.
        parameters: the hypernetwork's weights and biases.
        order: `output_order(dim, width)`.
        pool: memory for activations; its own if None.
    """

    def __init__(
        self,
        dim: int,
        width: int,
        parameters: Sequence[Tensor],
        order: tuple[Tensor, Tensor],
        pool: Pool | None = None,
    ) -> None:
        self.dim, self.width = dim, width
        self.net = [p.detach().clone() for p in parameters]
        self.pool = Pool() if pool is None else pool
        w1, _, _, _, w3, b3 = self.net
        self._rate = w1[:, 0]
        # The last layer gives [2 W, 2 B], 2 V^T / width and G^T at once.
        index, scale = (x.to(b3.device) for x in order)
        scale = scale.to(b3.dtype)
        self._last, self._last_bias = w3[index].mul_(scale), b3[index].mul_(scale[:, 0])
        self._minus_half, self._minus_ones = b3.new_full((width,), -0.5), b3.new_full((dim,), -1.0)
        self.one = b3.new_ones(1, 1)
        self._spare: HypernetworkStage | None = None
        self._weights: dict[float, UnitWeights] = {}

    def __call__(self, t: Any, y: Tensor) -> Tensor:
        """The value (n, dim + 1), feature-major in memory."""
        out = y.new_empty(self.dim + 1, y.shape[0])
        self.write(float(t), y.T, out)
        return out.T

    def write(self, t: float, y: Tensor, out: Tensor) -> None:
        """Write the value at (t, y) into `out`, both (dim + 1, n)."""
        self.evaluate(self._spare_stage(y.shape[1]), t, y, out)

    def evaluate(self, stage: HypernetworkStage, t: float, y: Tensor, out: Tensor) -> None:
        """The same, leaving the activations in `stage`."""
        self._fill(stage, t, y)
        torch.mm(stage.weights.value, stage.tail, out=out)

    def vjp(self, t: Any, y: Tensor, g: Tensor) -> VJP:
        """The value and its products with g (n, dim + 1)."""
        value = self(t, y)
        sweep = HypernetworkSweep(self, lambda i: self._spare_stage(y.shape[0]))
        gy = sweep.vjp(0, g.T)
        return VJP(value, gy.T, sweep.parameter_gradients(), sweep.time_gradients()[0])

    def linearize(self, ts: Sequence[float], ys: Tensor) -> Linearization:
        """Linearise at the stages (t_i, ys[i]), ys of shape (stages, n, dim + 1): computed again one by one."""

        def stage(i: int) -> HypernetworkStage:
            found = self._spare_stage(ys.shape[1])
            self._fill(found, float(ts[i]), ys[i].T)
            return found

        return Rows(HypernetworkSweep(self, stage))

    def tape(self, n: int) -> FlowTape[HypernetworkStage]:
        """A tape for the evaluations of a solve on states (dim + 1, n)."""
        # Each time has its own weights: side by side nothing is saved. And what does not fit into the caches is sooner
        # computed again than read again.
        return FlowTape(self, n, 1, None if n <= LARGEST_KEPT else 0)

    def sweep(self, frames: Callable[[int], HypernetworkStage], size: int, n: int) -> Linearization:
        """The way back through these stages."""
        return HypernetworkSweep(self, frames)

    def kind(self, stages: int, n: int) -> tuple[Any, ...]:
        """What tells frames of n columns apart from others."""
        return ("hypernetwork", self.dim, self.width, n, self._last.dtype, self._last.device)

    def make_frame(self, stages: int, n: int) -> HypernetworkStage:
        """A new frame, of a single stage."""
        return HypernetworkStage(self._last, self.dim, self.width, n)

    def _spare_stage(self, n: int) -> HypernetworkStage:
        """A stage that every call overwrites."""
        if self._spare is None or self._spare.tail.shape[1] != n:
            self._spare = self.make_frame(1, n)
        return self._spare

    def _fill(self, stage: HypernetworkStage, t: float, y: Tensor) -> None:
        """The weights at t and the activations at y (dim + 1, n)."""
        stage.t, stage.weights = t, self._weights_at(t)
        stage.z.copy_(y[:-1])
        torch.mm(stage.weights.first, stage.inputs, out=stage.h).sigmoid_()
        TANH.backward(self.one, stage.h, stage.slope)

    def _weights_at(self, t: float) -> UnitWeights:
        """The field's weights at time t."""
        known = self._weights.get(t)
        if known is not None:
            return known
        if len(self._weights) >= _KEPT_TIMES:
            self._weights.clear()  # stages on a tape hold their own
        like, dim, width = self._last, self.dim, self.width
        found: UnitWeights = self.pool.take(self._weights_kind(), lambda: UnitWeights(like, dim, width))
        self._weights[t] = found
        _, b1, w2, b2, _, _ = self.net
        inner = torch.add(b1, self._rate, alpha=t).tanh_()
        inner = torch.addmv(b2, w2, inner).tanh_()
        torch.addmv(self._last_bias, self._last, inner, out=found.outputs)
        torch.mul(found.v, found.gate.sigmoid_(), out=found.last)
        torch.mv(found.last, self._minus_half, out=found.shift)
        found.pull_in[:-1].copy_(found.transposed)
        products = torch.mul(found.last, found.transposed, out=found.products)
        torch.mv(products.T, self._minus_ones, out=found.minus_c)
        return found

    def _weights_kind(self) -> tuple[Any, ...]:
        return ("units", self.dim, self.width, self._last.dtype, self._last.device)

    def __del__(self) -> None:
        """Give the memory of the weights back."""
        self.pool.give(self._weights_kind(), list(self._weights.values()))


def output_order(dim: int, width: int) -> tuple[Tensor, Tensor]:
    """Which of the hypernetwork's outputs comes where in `UnitWeights.outputs`, and its factor there."""
    block = width * dim
    w, v, gate = torch.arange(3 * block).view(3, width, dim)
    b = torch.arange(3 * block, 3 * block + width).unsqueeze(1)
    order = torch.cat((torch.cat((w, b), 1).reshape(-1), v.T.reshape(-1), gate.T.reshape(-1)))
    scale = torch.full((len(order), 1), 2.0, dtype=torch.float64)
    scale[-2 * block : -block] /= width
    scale[-block:] = 1.0
    return order, scale


class HypernetworkSweep:
    """A `Linearization` of a `HypernetworkFlow` on columns (dim + 1, n).

    Args:
        flow: the field.
        stages: stage i, asked for when its cotangent comes.
    """

    def __init__(self, flow: HypernetworkFlow, stages: Callable[[int], HypernetworkStage]) -> None:
        self._flow, self._stages = flow, stages
        self._delta: Tensor | None = None
        self._through = flow.one
        self._visited: dict[int, float] = {}
        self._sums: list[tuple[Tensor, Tensor]] = []
        self._found: tuple[tuple[Tensor, ...], Tensor] | None = None

    def vjp(self, i: int, g: Tensor, out: Tensor | None = None) -> Tensor:
        """g^T d[f, -tr]/d[z, delta] at stage i, (dim + 1, n), in `out` if given."""
        if i in self._visited:
            raise RuntimeError(f"stage {i} already took its cotangent; linearise again for another one.")
        stage = self._stages(i)
        self._visited[i] = stage.t
        weights, h = stage.weights, stage.h
        if self._delta is None:
            self._delta, self._through = (workspace(h, *h.shape) for _ in range(2))
        half = torch.mm(weights.pull_out, g, out=self._delta)
        # d / 2 = s o (2 U g + 4 c o w o (1 - 2 h))
        half.addcmul_(TANH.bend(weights.minus_c.unsqueeze(1), h, self._through), g[-1:])
        TANH.backward_(half, h)
        self._sums.append((torch.mm(stage.inputs, half.T), torch.mm(g, stage.tail.T)))
        return torch.mm(weights.pull_in, half, out=out)

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """Sum over the stages visited of g_i^T d/dtheta. Ends the sweep."""
        return self._finish()[0]

    def time_gradients(self) -> Tensor:
        """g_i^T d/dt of every stage, summed over the batch, in the order of the visits: (stages,). Ends the sweep."""
        return self._finish()[1]

    def _finish(self) -> tuple[tuple[Tensor, ...], Tensor]:
        if self._found is not None:
            return self._found
        flow = self._flow
        w1, b1, w2, b2, w3, b3 = flow.net
        if not self._visited:
            return tuple(torch.zeros_like(p) for p in flow.net), b1.new_zeros(0)
        times = b1.new_tensor(list(self._visited.values())).unsqueeze(1)
        a1 = torch.addmm(b1, times, w1.T).tanh_()
        a2 = torch.addmm(b2, a1, w2.T).tanh_()
        d3 = self._output_gradients(torch.addmm(b3, a2, w3.T))
        backward = torch.ops.aten.tanh_backward
        d2 = backward(torch.mm(d3, w3), a2)
        d1 = backward(torch.mm(d2, w2), a1)
        gradients = (d1.T @ times, d1.sum(0), d2.T @ a1, d2.sum(0), d3.T @ a2, d3.sum(0))
        self._found = gradients, torch.mm(d1, w1).squeeze(1)
        return self._found

    def _output_gradients(self, outputs: Tensor) -> Tensor:
        """The gradients by the hypernetwork's outputs [W, V, G, B] of every stage."""
        dim, width = self._flow.dim, self._flow.width
        block, stages = width * dim, len(outputs)
        w, v, gate = outputs[:, : 3 * block].view(stages, 3, width, dim).unbind(1)
        sigma = gate.sigmoid()
        u = v * sigma
        # U without its factor 1 / width, which goes into what it is multiplied with.
        half, last = (torch.stack(sums).mT for sums in zip(*self._sums, strict=True))
        dc = last[:, width + 1 :, -1:] * (-4.0 / width)
        dw = torch.addcmul(2.0 * half[..., :-1], dc, u)
        du = (2.0 * last[:, :width, :-1] - last[:, width : width + 1, :-1]).div_(width).addcmul_(dc, w)
        dgate = torch.ops.aten.sigmoid_backward(du * v, sigma)
        parts = (dw, du * sigma, dgate, 2.0 * half[..., -1])
        return torch.cat([part.reshape(stages, -1) for part in parts], 1)
