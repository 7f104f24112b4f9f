"""The paper's field for continuous normalizing flows, with all derivatives by hand.

    f(t, z) = 1/M sum_m U_m(t) tanh(W_m(t)^T z + B_m(t))

(Chen et al. 2018, section 4.1: M hidden units, each gated by the time). A small net of t alone, the hypernetwork, gives
W, B, U and a gate, U_m = V_m sigmoid(G_m). It is the parametrisation of torchdiffeq's examples/cnf.py, so that weights
can be carried over one to one. Units' derivatives, with h = tanh(W^T z + B):

    tr df/dz = 1/M sum_m (1 - h_m^2) W_m . U_m

At one time the field is a net with a single hidden layer, whose trace is a product with one vector. The derivatives by
W, B and U are written out; autograd only goes through the hypernetwork, once a solve for all stage times together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from node_core.fields.activations import TANH
from node_core.fields.layout import workspace
from node_core.fields.mlp_compiled import VJP

_KEPT_TIMES = 64


class Units(NamedTuple):
    """The weights at given times: W, U (..., width, dim), U gated and divided by the width, and B (..., width)."""

    W: Tensor
    B: Tensor
    U: Tensor


class HypernetworkField(nn.Module):
    """f(t, z) = 1/width sum_m U_m(t) tanh(W_m(t)^T z + B_m(t)), the weights from a net of t with two hidden layers.

    Args:
        dim: dimension of z; z and f have shape (..., dim).
        width: number M of hidden units.
        hidden: width of the hypernetwork's layers.
        seed: of the initial weights, uniform in +-1/sqrt(fan_in) as in nn.Linear.
        dtype: of the parameters.

    Parameters, in order: weight_1 (hidden, 1), bias_1, weight_2 (hidden, hidden), bias_2, weight_3 (3 width dim +
    width, hidden), bias_3; the last layer's rows give W, V, G (width x dim each), then B. All methods are
    differentiable; for solves outside autograd there is `compiled_flow`.

    Raises:
        ValueError: a size below 1, or a dtype that is not floating.
    """

    accepts_float_time = True
    time_dependent = True

    def __init__(
        self,
        dim: int,
        width: int = 64,
        hidden: int = 32,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        for name, value in (("dim", dim), ("width", width), ("hidden", hidden)):
            if value < 1:
                raise ValueError(f"{name} = {value}: choose a whole number of at least 1.")
        if not dtype.is_floating_point:
            raise ValueError(f"dtype must be a floating dtype such as torch.float32, not {dtype}.")
        self.dim, self.width, self.hidden = dim, width, hidden
        generator = torch.Generator().manual_seed(seed)
        sizes = (1, hidden, hidden, 3 * width * dim + width)
        for k in range(1, 4):
            bound = sizes[k - 1] ** -0.5
            for name, shape in ((f"weight_{k}", (sizes[k], sizes[k - 1])), (f"bias_{k}", (sizes[k],))):
                draw = torch.rand(shape, generator=generator, dtype=torch.float64)
                self.register_parameter(name, nn.Parameter((bound * (2.0 * draw - 1.0)).to(dtype)))

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return f"dim={self.dim}, width={self.width}, hidden={self.hidden}"

    def units(self, times: Tensor) -> Units:
        """W, B, U at times (...,): differentiable."""
        return self._split(self.outputs(times))

    def outputs(self, times: Tensor) -> Tensor:
        """What the hypernetwork says at times (...,): (..., 3 width dim + width)."""
        w1, b1, w2, b2, w3, b3 = self._parameters.values()
        assert w1 is not None and w2 is not None and w3 is not None
        inner = torch.tanh(nn.functional.linear(times.unsqueeze(-1), w1, b1))
        inner = torch.tanh(nn.functional.linear(inner, w2, b2))
        return nn.functional.linear(inner, w3, b3)

    def forward(self, t: Any, z: Tensor) -> Tensor:
        """The value f(t, z), shape of z (..., dim); t a number or a 0-d tensor."""
        units = self.units(self._time(t, z))
        return torch.tanh(self._affine(units, z)) @ units.U

    def value_and_divergence(self, t: Any, z: Tensor) -> tuple[Tensor, Tensor]:
        """The value (..., dim) and the trace (...,), exact."""
        units = self.units(self._time(t, z))
        h = torch.tanh(self._affine(units, z))
        return h @ units.U, (1.0 - h * h) @ (units.W * units.U).sum(-1)

    def divergence(self, t: Any, z: Tensor) -> Tensor:
        """Trace of df/dz, (...,)."""
        return self.value_and_divergence(t, z)[1]

    def jacobian(self, t: Any, z: Tensor) -> Tensor:
        """Jacobian df/dz, (..., dim, dim), [..., i, j] = df_i / dz_j."""
        units = self.units(self._time(t, z))
        h = torch.tanh(self._affine(units, z))
        return torch.einsum("...m,mi,mj->...ij", 1.0 - h * h, units.U, units.W)

    def compiled_flow(self) -> CompiledHypernetworkFlow:
        """[f, -tr df/dz] in closed form at the present weights, for one solve."""
        return CompiledHypernetworkFlow(self)

    def _time(self, t: Any, z: Tensor) -> Tensor:
        if isinstance(t, Tensor):
            if t.numel() != 1:
                raise ValueError(
                    f"t has shape {tuple(t.shape)}: the weights are made for one time, give a number."
                )
            return t.reshape(()).to(z.dtype)
        return z.new_tensor(t)

    def _affine(self, units: Units, z: Tensor) -> Tensor:
        if z.shape[-1:] != (self.dim,):
            raise ValueError(
                f"z has shape {tuple(z.shape)}, but the field's last axis is dim = {self.dim}; reshape z."
            )
        return z @ units.W.mT + units.B

    def _split(self, outputs: Tensor) -> Units:
        block = self.width * self.dim
        w, v, gate, b = outputs.split((block, block, block, self.width), -1)
        shape = (*outputs.shape[:-1], self.width, self.dim)
        return Units(w.view(shape), b, (v * torch.sigmoid(gate)).view(shape) / self.width)


class _Frozen(NamedTuple):
    """Weights at one time as the products want them: hidden = sigmoid(first z + bias), f = last hidden + shift."""

    first: Tensor  # 2 W, (width, dim)
    bias: Tensor  # 2 B, (width, 1)
    last: Tensor  # 2 U^T, (dim, width)
    shift: Tensor  # -sum U, (dim, 1)
    minus_c: Tensor  # -4 W.U, (1, width): -tr = minus_c slope


class CompiledHypernetworkFlow:
    """[f, -tr df/dz] at fixed parameters on states (n, dim + 1) = [z, delta], outside of autograd."""

    def __init__(self, field: HypernetworkField) -> None:
        self.dim, self.field = field.dim, field
        self._block, self._width = field.width * field.dim, field.width
        with torch.no_grad():
            w1, b1, w2, b2, w3, b3 = (p.detach().clone() for p in field.parameters())
            # The last layer gives 2 W, 2 V / width, G and 2 B at once.
            scale = torch.full_like(b3, 2.0)
            scale[self._block : 2 * self._block] /= self._width
            scale[2 * self._block : 3 * self._block] = 1.0
            self._net = (w1[:, 0], b1, w2, b2, w3 * scale.unsqueeze(1), b3 * scale)
        self._known: dict[float, _Frozen] = {}
        self._hidden: Tensor | None = None

    def __call__(self, t: Any, y: Tensor) -> Tensor:
        """The value (n, dim + 1)."""
        frozen = self._at(float(t))
        columns = y.T
        n = columns.shape[1]
        if self._hidden is None or self._hidden.shape[1] != n:
            self._hidden = workspace(columns, self._width, n)
        hidden = torch.addmm(frozen.bias, frozen.first, columns[:-1], out=self._hidden).sigmoid_()
        out = columns.new_empty(self.dim + 1, n)
        torch.addmm(frozen.shift, frozen.last, hidden, out=out[:-1])
        torch.mm(frozen.minus_c, TANH.slope(hidden), out=out[-1:])
        return out.T

    def vjp(self, t: Any, y: Tensor, g: Tensor) -> VJP:
        """The value and its products with g (n, dim + 1)."""
        linear = self.linearize([float(t)], y[None])
        gy = linear.vjp(0, g)
        return VJP(self(t, y), gy, linear.parameter_gradients(), linear.time_gradients()[0])

    def linearize(self, ts: Sequence[float], ys: Tensor) -> HypernetworkLinearization:
        """Linearise at the stages (t_i, ys[i]), ys of shape (stages, n, dim + 1)."""
        return HypernetworkLinearization(self.field, ts, ys)

    def _at(self, t: float) -> _Frozen:
        known = self._known.get(t)
        if known is not None:
            return known
        w1, b1, w2, b2, w3, b3 = self._net
        inner = torch.add(b1, w1, alpha=t).tanh_()
        inner = torch.addmv(b2, w2, inner).tanh_()
        outputs = torch.addmv(b3, w3, inner)
        block, shape = self._block, (self._width, self.dim)
        first = outputs[:block].view(shape)
        last = torch.mul(outputs[block : 2 * block], outputs[2 * block : 3 * block].sigmoid_()).view(shape)
        found = _Frozen(
            first,
            outputs[3 * block :].unsqueeze(1),
            last.T,
            last.sum(0).mul_(-0.5).unsqueeze(1),
            torch.mul(first, last).sum(1).neg_().unsqueeze(0),
        )
        if len(self._known) >= _KEPT_TIMES:
            self._known.clear()
        self._known[t] = found
        return found


# Stages are worked on in groups of about so many columns, as in `mlp_flow`.
GROUP_COLUMNS = 2048


class HypernetworkLinearization:
    """A `Linearization` of `CompiledHypernetworkFlow`: hypernetwork outputs in one go, hidden units in groups.

    Of a cotangent [g, g_delta], with w = -g_delta, slope s = 1 - h^2 and its derivative s' = -2 h s, the hidden
    pre-activation receives  delta = s o (U g) + c o s' o w,  c_m = W_m . U_m, and

        dW = delta z^T + (s w) o U,    dB = delta 1,    dU = h g^T + (s w) o W.
    """

    def __init__(self, field: HypernetworkField, ts: Sequence[float], ys: Tensor) -> None:
        self._field = field
        self._columns = ys.transpose(1, 2)
        with torch.enable_grad():
            self._times = ys.new_tensor([float(t) for t in ts]).requires_grad_()
            self._units = field.units(self._times)
        with torch.no_grad():
            self._W, self._B, self._U = (x.detach() for x in self._units)
            self._first, self._bias = 2.0 * self._W, (2.0 * self._B).unsqueeze(-1)
            self._last = 4.0 * self._U  # what cotangents are multiplied with, the slope's factor included
            self._c = 4.0 * (self._W * self._U).sum(-1, keepdim=True)
            transposed = self._W.mT.contiguous()
        self._transposed = transposed.unbind(0)
        self._last_stages = self._last.unbind(0)
        self._size = max(1, GROUP_COLUMNS // max(1, ys.shape[1]))
        self._groups: dict[int, _UnitGroup] = {}
        self._dW, self._dB = torch.zeros_like(self._W), torch.zeros_like(self._B)
        self._dU = torch.zeros_like(self._U)
        self._found: tuple[tuple[Tensor, ...], Tensor] | None = None

    def vjp(self, i: int, g: Tensor) -> Tensor:
        """g^T d[f, -tr]/d[z, delta] at stage i, (n, dim + 1)."""
        k, member = divmod(i, self._size)
        group = self._groups.get(k)
        if group is None:
            rows = slice(k * self._size, min((k + 1) * self._size, len(self._times)))
            group = _UnitGroup(self._columns[rows, :-1], self._first[rows], self._bias[rows], self._c[rows])
            self._groups[k] = group
        columns = g.T
        delta = group.take(member, self._last_stages[i], columns)
        out = torch.empty_like(columns, memory_format=torch.contiguous_format)
        out[-1].zero_()
        torch.mm(self._transposed[i], delta, out=out[:-1])
        if len(group.visited) == group.stages:
            self._close(k)
        return out.T

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """Sum over the stages visited of g_i^T d/dtheta. Ends the sweep."""
        return self._finish()[0]

    def time_gradients(self) -> Tensor:
        """g_i^T d/dt of every stage, summed over the batch: (stages,). Ends the sweep."""
        return self._finish()[1]

    def _finish(self) -> tuple[tuple[Tensor, ...], Tensor]:
        if self._found is None:
            for k in list(self._groups):
                self._close(k)
            *gradients, times = torch.autograd.grad(
                self._units, (*self._field.parameters(), self._times), (self._dW, self._dB, self._dU)
            )
            self._found = tuple(gradients), times
        return self._found

    def _close(self, k: int) -> None:
        group = self._groups.pop(k)
        rows = slice(k * self._size, k * self._size + group.stages)
        group.add_gradients(self._W[rows], self._U[rows], self._dW[rows], self._dB[rows], self._dU[rows])


class _UnitGroup:
    """Hidden units of some stages, (stages, width, n)."""

    def __init__(self, z: Tensor, first: Tensor, bias: Tensor, c: Tensor) -> None:
        self._z = z
        self.stages = len(z)
        self.visited: set[int] = set()
        self._h = torch.baddbmm(bias, first, z).sigmoid_()
        self._slope = TANH.slope(self._h)
        self._through = TANH.curvature(self._h, self._slope).mul_(c)
        self._delta = torch.empty_like(self._h)
        self._g = z.new_zeros(self.stages, z.shape[1] + 1, z.shape[2])

    def take(self, i: int, last: Tensor, g: Tensor) -> Tensor:
        """The cotangent (width, n) of stage i's pre-activations, for g (dim + 1, n)."""
        if i in self.visited:
            raise RuntimeError(f"stage {i} of its group already took its cotangent; linearise again.")
        self.visited.add(i)
        own = self._g[i]
        own.copy_(g)
        own[-1].neg_()
        delta = torch.mm(last, own[:-1], out=self._delta[i])
        return delta.mul_(self._slope[i]).addcmul_(self._through[i], own[-1])

    def add_gradients(self, W: Tensor, U: Tensor, dW: Tensor, dB: Tensor, dU: Tensor) -> None:
        """Write this group's sums over the batch into rows of dW, dB, dU."""
        for i in set(range(self.stages)) - self.visited:
            self._delta[i].zero_()
        g, w = self._g[:, :-1], self._g[:, -1:]
        through_trace = torch.bmm(self._slope, w.mT).mul_(4.0)  # sum_n w_n (1 - h^2), (stages, width, 1)
        torch.bmm(self._delta, self._z.mT, out=dW).addcmul_(through_trace, U)
        torch.sum(self._delta, -1, out=dB)
        # h = 2 sigmoid - 1
        torch.bmm(self._h, g.mT, out=dU).mul_(2.0).sub_(g.sum(-1).unsqueeze(1)).addcmul_(through_trace, W)
