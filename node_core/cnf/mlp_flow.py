"""The augmented field [f, -tr df/dz] of an MLPField in closed form: values, products, and what they are made of.

With slopes s_l and the Jacobian's factors A_l (see `node_core.fields.mlp.derivatives`), one or two hidden layers have

    tr J = c^T s_1,  c = rowsum(A_1 o A_2^T)        or        tr J = s_2^T M s_1,  M = A_2 o (A_1 A_3)^T

and its gradient by s_l does not mix samples: w_n tr J_n adds (d tr / d s_l) o curvature_l o w to the cotangent of layer
l's pre-activation (`mlp_flow_sweep`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from node_core.cnf.tape import Pool
from node_core.fields.layout import workspace
from node_core.fields.linearization import Linearization, StagewiseLinearization
from node_core.fields.mlp.compiled import VJP, CompiledMLP


class Activations(NamedTuple):
    """What an evaluation computed, feature-major.

    Attributes:
        inputs: [z; t; 1], without t for an autonomous field.
        z, time: rows of `inputs`.
        hidden: core of each hidden layer's pre-activation, over a row of ones; `inner` is the same without the ones.
        terms: of the trace, one a unit of the last hidden layer: s_2 o (M s_1), or s_1 o c.
        tail: the last of `hidden` over `terms`: the value is one product with it.
    """

    inputs: Tensor
    z: Tensor
    time: Tensor | None
    hidden: list[Tensor]
    inner: list[Tensor]
    terms: Tensor
    tail: Tensor


class MLPFrame:
    """The activations of some stages side by side: of all of them, and of each one."""

    def __init__(
        self, like: Tensor, dim: int, timed: bool, widths: Sequence[int], stages: int, n: int
    ) -> None:
        rows = [dim + timed + 1, *(width + 1 for width in widths[:-1]), 2 * widths[-1] + 1]
        block = workspace(like, sum(rows), stages * n)
        self.bytes = block.numel() * block.element_size()

        def activations(block: Tensor) -> Activations:
            inputs, *hidden, tail = block.split(rows)
            last, terms = tail.split([widths[-1] + 1, widths[-1]])
            hidden.append(last)
            time = inputs[dim] if timed else None
            return Activations(inputs, inputs[:dim], time, hidden, [h[:-1] for h in hidden], terms, tail)

        self.all = activations(block)
        for ones in (self.all.inputs, *self.all.hidden):
            ones[-1].fill_(1.0)
        self.stages = [self.all] if stages == 1 else [activations(part) for part in block.split(n, 1)]


class TraceForm:
    """What the trace is made of at fixed factors: c for one hidden layer, M (`core`) for two."""

    def __init__(self, factors: Sequence[Tensor]) -> None:
        self.factors = factors
        if len(factors) == 2:
            self.c = (factors[0] * factors[1].T).sum(1, keepdim=True)
        else:
            self.loop = (factors[0] @ factors[2]).T
            self.core = factors[1] * self.loop

    @cached_property
    def core_transposed(self) -> Tensor:
        """M^T."""
        return self.core.T.contiguous()

    def factor_gradients(self, reduced: Tensor) -> list[Tensor]:
        """The gradients by the factors, from that by c (width,) or by M."""
        factors = self.factors
        if len(factors) == 2:
            return [reduced.unsqueeze(1) * factors[1].T, reduced * factors[0].T]
        a1, a2, a3 = factors
        dloop = (reduced * a2).T
        return [dloop @ a3.T, reduced * self.loop, a1.T @ dloop]


class DeepMLPFlow:
    """[f, -tr df/dz] at fixed weights on states (n, dim + 1) = [z, delta], whatever the number of hidden layers.

    Made of a `CompiledMLP`, for one solve, outside of autograd; nothing depends on delta.
    """

    def __init__(self, mlp: CompiledMLP) -> None:
        self.mlp, self.dim = mlp, mlp.dim

    def __call__(self, t: Any, y: Tensor) -> Tensor:
        """The value (n, dim + 1), feature-major in memory."""
        value, divergence = self.mlp.value_and_divergence(t, y[:, : self.dim])
        return torch.cat((value.T, divergence.neg_().unsqueeze(0))).T

    def vjp(self, t: Any, y: Tensor, g: Tensor) -> VJP:
        """The value and its products with g (n, dim + 1)."""
        dim = self.dim
        found = self.mlp.divergence_vjp(t, y[:, :dim], g[:, :dim], -g[:, dim])
        value = torch.cat((found.value, -found.divergence.unsqueeze(1)), 1)
        return VJP(value, pad(found.y, (0, 1)), found.parameters, found.t)

    def linearize(self, ts: Sequence[float], ys: Tensor) -> Linearization:
        """Linearise at the stages (t_i, ys[i]), ys of shape (stages, n, dim + 1)."""

        def product(t: float, y: Tensor, g: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
            found = self.vjp(t, y, g)
            return found.y, found.parameters

        return StagewiseLinearization(product, ts, ys)


class MLPFlow(DeepMLPFlow):
    """The same for one or two hidden layers: the trace takes a product at most, and activations can be kept.

    Args:
        mlp: the field at its present weights.
        pool: memory for activations; its own if None.
    """

    def __init__(self, mlp: CompiledMLP, pool: Pool | None = None) -> None:
        super().__init__(mlp)
        self.activation = mlp.activation
        self.widths = [affine.shape[1] - 1 for affine in mlp.affine]
        assert len(self.widths) < 3, "more hidden layers have no short form of the trace"
        self.first, self.last = mlp.first_affine(), mlp.affine[-1]
        self.trace = TraceForm([factor.T for factor in mlp.transposed_factors()])
        self.pool = Pool() if pool is None else pool
        self.one = self.last.new_ones(1, 1)
        # [f, -tr] = [[A_L, b_L, 0], [0, 0, -1]] tail
        self._value = torch.block_diag(self.last, self.last.new_full((1, self.widths[-1]), -1.0))
        self._spare: Activations | None = None
        self._slope: Tensor | None = None

    def __call__(self, t: Any, y: Tensor) -> Tensor:
        """The value (n, dim + 1), feature-major in memory."""
        out = y.new_empty(self.dim + 1, y.shape[0])
        self.write(float(t), y.T, out)
        return out.T

    def write(self, t: float, y: Tensor, out: Tensor) -> None:
        """Write the value at (t, y) into `out`, both (dim + 1, n)."""
        if self._spare is None or self._spare.inputs.shape[1] != y.shape[1]:
            self._spare = self.make_frame(1, y.shape[1]).all
        self.evaluate(self._spare, t, y, out)

    def evaluate(self, stage: Activations, t: float, y: Tensor, out: Tensor) -> None:
        """The same, leaving the activations in `stage`."""
        stage.z.copy_(y[:-1])
        if stage.time is not None:
            stage.time.fill_(t)
        self.fill(stage)
        torch.mm(self._value, stage.tail, out=out)

    def fill(self, stage: Activations) -> None:
        """The activations at a stage's inputs."""
        mlp, weight, source = self.mlp, self.first, stage.inputs
        for affine, hidden, inner in zip(mlp.affine, stage.hidden, stage.inner, strict=True):
            mlp.core_(torch.mm(weight, source, out=inner))
            weight, source = affine, hidden
        backward, terms = self.activation.backward, stage.terms
        if len(self.widths) == 1:
            backward(self.trace.c, stage.inner[0], terms)
            return
        if self._slope is None or self._slope.shape[1] != terms.shape[1]:
            self._slope = workspace(terms, self.widths[0], terms.shape[1])
        slope = backward(self.one, stage.inner[0], self._slope)
        backward(torch.mm(self.trace.core, slope, out=terms), stage.inner[1], terms)

    @cached_property
    def pull_in(self) -> Tensor:
        """A_1^T over a row of zeros: cotangents of the first pre-activation to those of [z, delta]."""
        return pad(self.mlp.transposed_factors()[0], (0, 0, 0, 1))

    @cached_property
    def pull_out(self) -> Tensor:
        """A_L^T beside a column of zeros: cotangents of [f, -tr] to those of the last hidden layer through f."""
        return pad(self.mlp.transposed_factors()[-1], (0, 1))

    def kind(self, stages: int, n: int) -> tuple[Any, ...]:
        """What tells frames for `stages` evaluations of n columns apart from others."""
        timed, like = self.mlp.time_dependent, self.last
        return ("mlp", self.dim, timed, *self.widths, stages, n, like.dtype, like.device)

    def make_frame(self, stages: int, n: int) -> MLPFrame:
        """A new frame."""
        return MLPFrame(self.last, self.dim, self.mlp.time_dependent, self.widths, stages, n)
