"""The paper's field for continuous normalizing flows, with all derivatives by hand.

    f(t, z) = 1/M sum_m U_m(t) tanh(W_m(t)^T z + B_m(t))

(Chen et al. 2018, section 4.1: M hidden units, each gated by the time). A small net of t alone, the hypernetwork, gives
W, B, U and a gate, U_m = V_m sigmoid(G_m). It is the parametrisation of torchdiffeq's examples/cnf.py, so that weights
can be carried over one to one. Units' derivatives, with h = tanh(W^T z + B):

    tr df/dz = 1/M sum_m (1 - h_m^2) W_m . U_m

At one time the field is a net with a single hidden layer, whose trace is a product with one vector (see
`hypernetwork_flow` for the derivatives).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from node_core.cnf.hypernetwork_flow import HypernetworkFlow, output_order
from node_core.cnf.tape import Pool
from node_core.fields.own import HandWritten


class Units(NamedTuple):
    """The weights at given times: W, U (..., width, dim), U gated and divided by the width, and B (..., width)."""

    W: Tensor
    B: Tensor
    U: Tensor


class HypernetworkField(nn.Module, HandWritten):
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
        self._order = output_order(dim, width)
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
        """The value f(t, z), shape of z (..., dim); t a number, a 0-d tensor, or a time for each row, (..., 1)."""
        units = self.units(self._time(t, z))
        return _times_matrix(torch.tanh(self._affine(units, z)), units.U)

    def value_and_divergence(self, t: Any, z: Tensor) -> tuple[Tensor, Tensor]:
        """The value (..., dim) and the trace (...,), exact."""
        units = self.units(self._time(t, z))
        h = torch.tanh(self._affine(units, z))
        rates = (units.W * units.U).sum(-1, keepdim=True)
        return _times_matrix(h, units.U), _times_matrix(1.0 - h * h, rates).squeeze(-1)

    def divergence(self, t: Any, z: Tensor) -> Tensor:
        """Trace of df/dz, (...,)."""
        return self.value_and_divergence(t, z)[1]

    def jacobian(self, t: Any, z: Tensor) -> Tensor:
        """Jacobian df/dz, (..., dim, dim), [..., i, j] = df_i / dz_j."""
        units = self.units(self._time(t, z))
        h = torch.tanh(self._affine(units, z))
        return torch.einsum("...m,...mi,...mj->...ij", 1.0 - h * h, units.U, units.W)

    def compiled_flow(self, pool: Pool | None = None) -> HypernetworkFlow:
        """[f, -tr df/dz] in closed form at the present weights, for one solve; `pool` is memory that outlives it."""
        with torch.no_grad():
            return HypernetworkFlow(self.dim, self.width, list(self.parameters()), self._order, pool)

    def _time(self, t: Any, z: Tensor) -> Tensor:
        if isinstance(t, Tensor):
            if t.numel() == 1:
                return t.reshape(()).to(z.dtype)
            if t.shape != (*z.shape[:-1], 1):
                raise ValueError(
                    f"t has shape {tuple(t.shape)} for z of shape {tuple(z.shape)}: give a number, or a time for each "
                    f"row, {(*z.shape[:-1], 1)}."
                )
            return t.squeeze(-1).to(z.dtype)
        return z.new_tensor(t)

    def _affine(self, units: Units, z: Tensor) -> Tensor:
        if z.shape[-1:] != (self.dim,):
            raise ValueError(
                f"z has shape {tuple(z.shape)}, but the field's last axis is dim = {self.dim}; reshape z."
            )
        return _times_matrix(z, units.W.mT) + units.B

    def _split(self, outputs: Tensor) -> Units:
        block = self.width * self.dim
        w, v, gate, b = outputs.split((block, block, block, self.width), -1)
        shape = (*outputs.shape[:-1], self.width, self.dim)
        return Units(w.view(shape), b, (v * torch.sigmoid(gate)).view(shape) / self.width)


def _times_matrix(x: Tensor, matrix: Tensor) -> Tensor:
    """x (..., k) times a matrix (k, m) for all rows, or one for each row (..., k, m)."""
    return x @ matrix if matrix.ndim == 2 else (x.unsqueeze(-2) @ matrix).squeeze(-2)
