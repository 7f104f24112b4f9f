"""The trainable vector field: a small fully connected net with hand-written derivatives."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from node_core.fields.layout import from_columns, to_columns
from node_core.fields.linearization import Time
from node_core.fields.mlp import derivatives
from node_core.fields.mlp.activations import ACTIVATIONS
from node_core.fields.mlp.compiled import VJP, CompiledMLP
from node_core.fields.mlp.linearization import MLPLinearization
from node_core.fields.mlp.memory import Workspaces
from node_core.fields.mlp.tape import MLPTape
from node_core.fields.own import HandWritten


class MLPField(nn.Module, HandWritten):
    """dy/dt = W_L a(... a(W_1 [y; t] + b_1) ...) + b_L

    dim             dimension of the state: y and dy/dt have shape (..., dim)
    hidden          widths of the 1 to 3 hidden layers
    activation      a: "tanh", "softplus" or "elu"
    time_dependent  feed t to the first layer; else t is ignored and f is autonomous
    seed            of the initial weights, uniform in +-1/sqrt(fan_in) as in nn.Linear; torch's global
                    generator is not touched, and the dtype does not change the draw
    dtype           of the parameters (any floating dtype)

    Parameters, in order: weight_1 (width, dim or dim + 1 with the time column last), bias_1, weight_2, bias_2
    ... `forward`, `jacobian` and `divergence` are made of torch operations that autograd differentiates, also
    twice. `vjp` and `linearize` are closed forms outside autograd. For a solve, take `compiled()` once and
    call that. `odeint` does so for this very class, without hooks: a subclass, or one whose weights are made of
    others (weight norm, pruning), is evaluated as it is written. Raises ValueError for arguments out of range.
    """

    accepts_float_time = True

    def __init__(
        self,
        dim: int,
        hidden: Sequence[int] = (64, 64),
        activation: str = "tanh",
        time_dependent: bool = False,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        hidden = tuple(hidden)
        if dim < 1:
            raise ValueError(f"dim must be at least 1, not {dim}; it is the length of the state.")
        if not 1 <= len(hidden) <= 3 or min(hidden) < 1:
            raise ValueError(f"hidden must hold 1 to 3 positive widths such as (64, 64), not {hidden}.")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}.")
        if not dtype.is_floating_point:
            raise ValueError(f"dtype must be a floating dtype such as torch.float32, not {dtype}.")
        self.dim = dim
        self.hidden = hidden
        self.activation = activation
        self.time_dependent = time_dependent
        self._activation = ACTIVATIONS[activation]
        self._workspaces: Workspaces = {}
        self._names = [(f"weight_{k}", f"bias_{k}") for k in range(1, len(hidden) + 2)]
        generator = torch.Generator().manual_seed(seed)
        sizes = (dim + int(time_dependent), *hidden, dim)
        for k, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
            bound = fan_in**-0.5
            # Drawn on the CPU in float64 and rounded: one seed, one net, in every dtype and on every device.
            for name, shape in zip(self._names[k - 1], ((fan_out, fan_in), (fan_out,)), strict=True):
                draw = torch.rand(shape, generator=generator, dtype=torch.float64, device="cpu")
                self.register_parameter(name, nn.Parameter((bound * (2.0 * draw - 1.0)).to(dtype)))

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles leave the workspaces behind."""
        return {**self.__dict__, "_workspaces": {}}

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return (
            f"dim={self.dim}, hidden={self.hidden}, activation={self.activation!r}, "
            f"time_dependent={self.time_dependent}"
        )

    def forward(self, t: Time, y: Tensor) -> Tensor:
        """Value f(t, y), shape of y (..., dim). t: a number or per-sample (..., 1). Differentiable."""
        hidden = self._hidden_layers(t, y)
        weight, bias = self._layers()[-1]
        return from_columns(self._affine(weight, bias, hidden[-1], 1.0), y.shape)

    def compiled(self) -> "SweepableMLP":
        """The closed form at the present weights, for one solve: a snapshot, made anew after every update."""
        weights, biases = zip(*self._layers(), strict=True)
        with torch.no_grad():
            return SweepableMLP(weights, biases, self._activation, self.dim, self._workspaces)

    def vjp(self, t: Time, y: Tensor, g: Tensor) -> VJP:
        """Closed-form f, g^T df/dy, g^T df/dtheta and g^T df/dt, outside autograd (see `CompiledMLP.vjp`)."""
        with torch.no_grad():
            return self.compiled().vjp(t, y, g)

    def jacobian(self, t: Time, y: Tensor) -> Tensor:
        """Jacobian df/dy, shape (..., dim, dim), [..., i, j] = df_i / dy_j. Differentiable."""
        slopes = [self._activation.slope(h) for h in self._hidden_layers(t, y)]
        jacobian = derivatives.jacobian(self._factors(), slopes)
        return jacobian.permute(2, 0, 1).reshape(*y.shape[:-1], self.dim, self.dim)

    def divergence(self, t: Time, y: Tensor) -> Tensor:
        """Trace of df/dy, shape (...,): exact, one product for one or two hidden layers. Differentiable."""
        return self.value_and_divergence(t, y)[1]

    def value_and_divergence(self, t: Time, y: Tensor) -> tuple[Tensor, Tensor]:
        """Value f(t, y) and tr df/dy from one evaluation. Differentiable."""
        hidden = self._hidden_layers(t, y)
        weight, bias = self._layers()[-1]
        value = from_columns(self._affine(weight, bias, hidden[-1], 1.0), y.shape)
        slopes = [self._activation.slope(h) for h in hidden]
        return value, derivatives.divergence(self._factors(), slopes).reshape(y.shape[:-1])

    def linearize(self, ts: Sequence[Time] | Tensor, ys: Sequence[Tensor] | Tensor) -> MLPLinearization:
        """The field linearised at the stages (t_i, y_i), for a reverse sweep outside autograd."""
        return self.compiled().linearize(ts, ys)

    def _layers(self) -> list[tuple[Tensor, Tensor]]:
        # The dict, not attributes: nn.Module.__getattr__ costs more than the small products here. A weight that is made
        # of others is an attribute only.
        p: Any = self._parameters
        try:
            return [(p[weight], p[bias]) for weight, bias in self._names]
        except KeyError:
            return [(getattr(self, weight), getattr(self, bias)) for weight, bias in self._names]

    def _hidden_layers(self, t: Time, y: Tensor) -> list[Tensor]:
        """Returns core(rate * x) of every hidden layer, (width, n)."""
        if y.shape[-1:] != (self.dim,):
            raise ValueError(
                f"y has shape {tuple(y.shape)}, but the field's last axis is dim = {self.dim}; reshape y."
            )
        activation, layers = self._activation, self._layers()
        source = to_columns(y)
        if self.time_dependent:
            source = torch.cat((source, self._time_row(t, y, source)), 0)
        weight, bias = layers[0]
        rate = activation.rate
        hidden = [activation.core(torch.addmm(bias.unsqueeze(1), weight, source, beta=rate, alpha=rate))]
        for weight, bias in layers[1:-1]:
            hidden.append(activation.core(self._affine(weight, bias, hidden[-1], rate)))
        return hidden

    def _affine(self, weight: Tensor, bias: Tensor, h: Tensor, rate: float) -> Tensor:
        """Returns rate * (W a + b) for a = scale h + shift, the constants carried by the product itself."""
        activation = self._activation
        if activation.shift:
            bias = torch.add(bias, weight.sum(1), alpha=activation.shift)
        return torch.addmm(bias.unsqueeze(1), weight, h, beta=rate, alpha=rate * activation.scale)

    def _time_row(self, t: Time, y: Tensor, columns: Tensor) -> Tensor:
        n = columns.shape[1]
        if not isinstance(t, Tensor):
            return columns.new_full((1, n), t)
        t = t.to(columns.dtype)
        if t.dim() == 0:
            return t.expand(1, n)
        if t.shape != (*y.shape[:-1], 1):
            raise ValueError(
                f"t has shape {tuple(t.shape)}; give a number, or {(*y.shape[:-1], 1)} for per-sample times."
            )
        return t.reshape(1, n)

    def _factors(self) -> list[Tensor]:
        (first, _), *rest = self._layers()
        return [first[:, : self.dim], *(weight * self._activation.gain for weight, _ in rest)]


class SweepableMLP(CompiledMLP):
    """The closed form together with its two ways back through a solve: at given stages, or from a tape."""

    def linearize(self, ts: Sequence[Time] | Tensor, ys: Sequence[Tensor] | Tensor) -> MLPLinearization:
        """The field linearised at the stages (t_i, y_i), for a reverse sweep over a solve's stages."""
        return MLPLinearization(self, ts, ys)

    def tape(self, n: int) -> MLPTape:
        """A tape for the evaluations of a solve on states (dim, n)."""
        return MLPTape(self, n)
