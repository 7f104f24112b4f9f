"""The closed form of an MLPField at fixed weights: f and its derivatives with the fewest torch calls.

Three measures make it fast on a CPU (benchmarks/mlp_field.py):
- feature-major layout: a state (batch, dim) is worked on as (dim, batch), where narrow products are faster;
- the activation's constants are folded into the weights once (activations.py), so tanh costs one sigmoid;
- hidden activations live in a workspace with a row of ones below them, which gives every later layer its
  bias inside the matrix product itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from node_core.fields.layout import from_columns, to_columns, workspace
from node_core.fields.linearization import Time
from node_core.fields.mlp import derivatives
from node_core.fields.mlp.activations import Activation
from node_core.fields.mlp.memory import StageWorkspace, Workspaces


class VJP(NamedTuple):
    """Value f(t, y) and its products with a cotangent g.

    y            g^T df/dy, shape of y
    parameters   g^T df/dtheta in the order of the parameters; empty if not asked for
    t            g^T df/dt, 0-d for a shared t, shaped as t for per-sample times; zero for an autonomous field
    """

    value: Tensor
    y: Tensor
    parameters: tuple[Tensor, ...]
    t: Tensor


class DivergenceVJP(NamedTuple):
    """Value f(t, y), its divergence, and the gradients of  sum g . f + sum w * divergence  as in `VJP`."""

    value: Tensor
    divergence: Tensor
    y: Tensor
    parameters: tuple[Tensor, ...]
    t: Tensor


class CompiledMLP:
    """An MLPField at fixed weights, for one solve: f(t, y) = W_L a(... a(W_1 [y; t] + b_1) ...) + b_L

    It belongs to the weights as they were when it was made: make a new one for each solve. y has shape (...,
    dim) and the weights' dtype; t is a float, a 0-d tensor or (..., 1) per-sample times. Call it with y and t
    detached or under `torch.no_grad()`. Results are fresh tensors, feature-major in memory. The hidden
    activations are kept in one workspace: not for concurrent calls from several threads.
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        biases: Sequence[Tensor],
        activation: Activation,
        dim: int,
        workspaces: Workspaces,
    ) -> None:
        self.dim = dim
        self.activation = activation
        # Copies: products made on first use must see the same weights as those made now.
        weights = [w.detach().clone() for w in weights]
        biases = [b.detach().unsqueeze(1) for b in biases]
        rate, scale, shift = activation.rate, activation.scale, activation.shift
        first = weights[0]
        self.time_dependent = first.shape[1] > dim
        self._weights = weights
        self._input = (first[:, :dim] * rate).contiguous()
        self._input_bias = biases[0] * rate
        self.time_column = first[:, dim:].contiguous() if self.time_dependent else None
        self._time_rate = first[:, dim:] * rate if self.time_dependent else None
        # [W | b] of the layers after the first, acting on [core; 1].
        self.affine: list[Tensor] = []
        for k in range(1, len(weights)):
            w, b = weights[k], biases[k]
            if shift:
                b = torch.sub(b, w.sum(1, keepdim=True), alpha=-shift)
            affine = torch.cat((w, b) if scale == 1.0 else (w * scale, b), 1)
            self.affine.append(affine if rate == 1.0 or k == len(weights) - 1 else affine.mul_(rate))
        self.core_ = activation.core_
        self.backward_ = activation.backward_
        self._transposed: list[Tensor] | None = None
        self._first_affine: Tensor | None = None
        self._free = workspaces
        self._n = -1
        self._hidden: list[Tensor] = []  # (width, n)
        self._hidden_one: list[Tensor] = []  # (width + 1, n): the same memory with the row of ones
        self._cotangents: list[Tensor] = []

    def __call__(self, t: Time, y: Tensor) -> Tensor:
        """The value f(t, y), shape of y."""
        if y.dim() == 2:
            return self._forward(t, y.T).T
        return from_columns(self._forward(t, to_columns(y)), y.shape)

    def vjp(self, t: Time, y: Tensor, g: Tensor, parameters: bool = True) -> VJP:
        """Value f and its vector-Jacobian products with g (as y). parameters=False skips the weights'."""
        columns, g_columns = to_columns(y), to_columns(g)
        value = self._forward(t, columns)
        deltas = self._backpropagate(g_columns)
        gradients = self._parameter_gradients(t, columns, [*deltas, g_columns]) if parameters else ()
        gy = torch.mm(self.transposed_factors()[0], deltas[0])
        shape = y.shape
        return VJP(
            from_columns(value, shape), from_columns(gy, shape), gradients, self._time_gradient(t, deltas[0])
        )

    def jvp(self, t: Time, y: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Value f(t, y) and df/dy v, both of y's shape."""
        value = self._forward(t, to_columns(y))
        factors = self._factors()
        tangent = torch.mm(factors[0], to_columns(v))
        for factor, h in zip(factors[1:], self._hidden, strict=True):
            tangent = torch.mm(factor, self.backward_(tangent, h))
        return from_columns(value, y.shape), from_columns(tangent, y.shape)

    def jacobian(self, t: Time, y: Tensor) -> Tensor:
        """Jacobian df/dy, shape (..., dim, dim), [..., i, j] = df_i / dy_j."""
        self._forward(t, to_columns(y))
        jacobian = derivatives.jacobian(self._factors(), self._slopes())
        return jacobian.permute(2, 0, 1).reshape(*y.shape[:-1], self.dim, self.dim)

    def divergence(self, t: Time, y: Tensor) -> Tensor:
        """Trace of df/dy, shape (...,): exact."""
        return self.value_and_divergence(t, y)[1]

    def value_and_divergence(self, t: Time, y: Tensor) -> tuple[Tensor, Tensor]:
        """Value f(t, y) and tr df/dy: what a continuous normalizing flow integrates."""
        value = self._forward(t, to_columns(y))
        divergence = derivatives.divergence(self._factors(), self._slopes())
        return from_columns(value, y.shape), divergence.view(y.shape[:-1])

    def divergence_vjp(
        self, t: Time, y: Tensor, g: Tensor, w: Tensor, parameters: bool = True
    ) -> DivergenceVJP:
        """Value f, tr df/dy, and the gradients of  sum g . f + sum w tr(df/dy)  with g as y and w (...,).

        The trace depends on y through the slopes s_l, whose derivative is the curvature: layer l's
        pre-activation receives, beside the cotangent of f, (d tr / d s_l) o curvature_l.
        """
        columns, g_columns, w_columns = to_columns(y), to_columns(g), w.reshape(-1)
        value = self._forward(t, columns)
        factors, slopes = self._factors(), self._slopes()
        trace = derivatives.DivergenceGradient(factors, slopes, w_columns)
        curvature = self.activation.curvature
        deltas: list[Tensor] = []
        cotangent = g_columns
        transposed = self.transposed_factors()
        for k in range(len(slopes) - 1, -1, -1):
            through_slope = trace.slopes[k].mul_(curvature(self._hidden[k], slopes[k]))
            cotangent = through_slope.addcmul_(torch.mm(transposed[k + 1], cotangent), slopes[k])
            deltas.insert(0, cotangent)
        gradients: tuple[Tensor, ...] = ()
        if parameters:
            gradients = self._parameter_gradients(t, columns, [*deltas, g_columns])
            gradients[0][:, : self.dim].add_(trace.factors[0])
            for k in range(1, len(factors)):
                gradients[2 * k].add_(trace.factors[k], alpha=self.activation.gain)
        shape = y.shape
        gy = from_columns(torch.mm(transposed[0], deltas[0]), shape)
        return DivergenceVJP(
            from_columns(value, shape),
            trace.value.view(shape[:-1]),
            gy,
            gradients,
            self._time_gradient(t, deltas[0]),
        )

    def write(self, t: Time, columns: Tensor, out: Tensor) -> None:
        """Write f(t, y) into `out`, both (dim, n)."""
        self._forward(t, columns, out)

    def _forward(self, t: Time, columns: Tensor, out: Tensor | None = None) -> Tensor:
        """Fills the workspace with the hidden activations and returns f (dim, n), a fresh tensor or `out`."""
        n = columns.shape[1]
        if n != self._n:
            self._allocate(n)
        bias = self._input_bias if self._time_rate is None else self._bias_at(t)
        hidden, core = self._hidden, self.core_
        core(torch.addmm(bias, self._input, columns, out=hidden[0]))
        source = self._hidden_one[0]
        for k in range(1, len(hidden)):
            core(torch.mm(self.affine[k - 1], source, out=hidden[k]))
            source = self._hidden_one[k]
        return torch.mm(self.affine[-1], source, out=out)

    def _bias_at(self, t: Time) -> Tensor:
        assert self._time_rate is not None
        if isinstance(t, Tensor) and t.dim() > 0:
            return torch.addmm(self._input_bias, self._time_rate, t.reshape(1, -1).to(self._input.dtype))
        return torch.add(self._input_bias, self._time_rate, alpha=float(t))

    def _backpropagate(self, g_columns: Tensor) -> list[Tensor]:
        """Cotangents of the hidden pre-activations W_l [...] + b_l, (width, n) in the workspace."""
        transposed = self.transposed_factors()
        if not self._cotangents:
            self._cotangents = [workspace(h, *h.shape) for h in self._hidden]
        deltas = self._cotangents
        cotangent = g_columns
        for k in range(len(deltas) - 1, -1, -1):
            torch.mm(transposed[k + 1], cotangent, out=deltas[k])
            cotangent = self.backward_(deltas[k], self._hidden[k])
        return deltas

    def _parameter_gradients(self, t: Time, columns: Tensor, deltas: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """(dW_1, db_1, ..., dW_L, db_L) from the cotangents of all layers' pre-activations, fresh tensors."""
        first = deltas[0]
        ones = self._hidden_one[0][-1]
        bias = torch.mv(first, ones)
        weight = torch.mm(first, columns.T)
        if self.time_dependent:
            if isinstance(t, Tensor) and t.dim() > 0:
                column = torch.mm(first, t.reshape(-1, 1).to(first.dtype))
            else:
                column = bias.unsqueeze(1) * float(t)
            weight = torch.cat((weight, column), 1)
        gradients = [weight, bias]
        for delta, h in zip(deltas[1:], self._hidden, strict=True):
            gradients += derivatives.layer_gradient(self.activation, delta, h, ones)
        return tuple(gradients)

    def _time_gradient(self, t: Time, delta: Tensor) -> Tensor:
        per_sample = isinstance(t, Tensor) and t.dim() > 0
        if self.time_column is None:
            return torch.zeros_like(t) if isinstance(t, Tensor) and per_sample else delta.new_zeros(())
        gradient = torch.mm(self.time_column.T, delta)
        return gradient.reshape(t.shape) if isinstance(t, Tensor) and per_sample else gradient.sum()

    def _slopes(self) -> list[Tensor]:
        return [self.activation.slope(h) for h in self._hidden]

    def _factors(self) -> list[Tensor]:
        """The Jacobian's factors: W_1 (y's columns), gain W_2, ..., gain W_L."""
        return [factor.T for factor in self.transposed_factors()]

    def transposed_factors(self) -> list[Tensor]:
        """Transposes of the Jacobian's factors, contiguous: what cotangents are multiplied with."""
        if self._transposed is None:
            gain = self.activation.gain
            self._transposed = [
                self._weights[0][:, : self.dim].T.clone(memory_format=torch.contiguous_format)
            ]
            self._transposed += [(w * gain).T.contiguous() for w in self._weights[1:]]
        return self._transposed

    def first_affine(self) -> Tensor:
        """The first layer acting on [y; t; 1]."""
        if self._first_affine is None:
            time = () if self._time_rate is None else (self._time_rate,)
            self._first_affine = torch.cat((self._input, *time, self._input_bias), 1)
        return self._first_affine

    def take_workspace(self, stages: int, n: int) -> StageWorkspace:
        """Memory for a group of stages, the caller's own until `give_workspace`."""
        free = self._free.get(self._workspace_key(stages, n))
        if free:
            return free.pop()
        widths = [w.shape[0] for w in self._weights[:-1]]
        rows = (self.dim + 1 + self.time_dependent, self.dim)
        return StageWorkspace(self._input, rows, widths, stages, n)

    def give_workspace(self, stages: int, n: int, space: StageWorkspace) -> None:
        """Takes back memory that is no longer used."""
        if len(self._free) > 8:
            # A solve whose batch shrinks sample by sample would otherwise keep one size of each.
            self._free.clear()
        self._free.setdefault(self._workspace_key(stages, n), []).append(space)

    def zero_gradients(self) -> tuple[Tensor, ...]:
        """The parameter gradients of a sweep that met no cotangent."""
        return tuple(zeros for w in self._weights for zeros in (torch.zeros_like(w), w.new_zeros(w.shape[0])))

    def _workspace_key(self, stages: int, n: int) -> tuple[int, int, torch.dtype, torch.device]:
        return stages, n, self._input.dtype, self._input.device

    def _allocate(self, n: int) -> None:
        self._n = n
        widths = [w.shape[0] for w in self._weights[:-1]]
        self._hidden_one = [workspace(self._input, width + 1, n) for width in widths]
        for h in self._hidden_one:
            h[-1].fill_(1.0)
        self._hidden = [h[:-1] for h in self._hidden_one]
        self._cotangents = []
