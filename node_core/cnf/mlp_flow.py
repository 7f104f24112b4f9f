"""The augmented field [f, -tr df/dz] of an MLPField in closed form: values, products, and all stages of a solve.

With slopes s_l and the Jacobian's factors A_l (see `mlp_derivatives`), one or two hidden layers have

    tr J = c^T s_1,  c = rowsum(A_1 o A_2^T)        or        tr J = s_2^T M s_1,  M = A_2 o (A_1 A_3)^T

and its gradient by s_l does not mix samples. So w_n tr J_n adds to the cotangent of layer l's pre-activation just
w_n P_l[:, n] with P_1 = (M^T s_2) o curvature_1, P_2 = (M s_1) o curvature_2: everything but w is known before the
reverse sweep begins, and is computed for several stages in one product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from node_core.fields.layout import workspace
from node_core.fields.linearization import Linearization, StagewiseLinearization
from node_core.fields.mlp_compiled import VJP, CompiledMLP
from node_core.fields.mlp_derivatives import layer_gradient

# Stages are worked on in groups of about so many columns: their activations should stay in the second-level cache.
GROUP_COLUMNS = 1024
TAPE_BYTES = 128_000_000
TAPED_ROWS = 192  # fewer rows are faster computed again, several stages at once


class CompiledMLPFlow:
    """[f, -tr df/dz] at fixed weights on states (n, dim + 1) = [z, delta]; nothing depends on delta.

    Made of a `CompiledMLP`, for one solve, outside of autograd. Results are feature-major in memory. When `recording`,
    the activations of the solve's evaluations are kept for its reverse sweep, as far as they fit (`Tape`).
    """

    def __init__(self, mlp: CompiledMLP, recording: bool = False) -> None:
        self.mlp = mlp
        self.dim = mlp.dim
        self.layers = len(mlp.affine)
        first = mlp.first_affine()
        self._weight = first[:, : self.dim].contiguous()
        self._bias = first[:, -1:].contiguous()
        self._rate = first[:, self.dim : self.dim + 1].contiguous() if mlp.time_dependent else None
        self.trace = TraceForm([factor.T for factor in mlp.transposed_factors()]) if self.layers < 3 else None
        self._minus = first.new_full((1, mlp.affine[-1].shape[1] - 1), -1.0)
        self._hidden: list[Tensor] = []
        self._tape = Tape() if recording else None

    def __call__(self, t: Any, y: Tensor) -> Tensor:
        """The value (n, dim + 1)."""
        columns = y.T
        n = columns.shape[1]
        out = columns.new_empty(self.dim + 1, n)
        if self.trace is None:
            value, divergence = self.mlp.value_and_divergence(t, y[:, : self.dim])
            out[:-1], out[-1] = value.T, divergence.neg_()
            return out.T
        mlp = self.mlp
        recording = self._tape is not None and n >= TAPED_ROWS
        if recording or not self._hidden or self._hidden[0].shape[1] != n:
            self._hidden = [workspace(columns, affine.shape[1], n) for affine in mlp.affine]
            for h in self._hidden:
                h[-1].fill_(1.0)
        inner = [h[:-1] for h in self._hidden]
        bias = self._bias if self._rate is None else torch.add(self._bias, self._rate, alpha=float(t))
        mlp.core_(torch.addmm(bias, self._weight, columns[: self.dim], out=inner[0]))
        if self.layers == 2:
            mlp.core_(torch.mm(mlp.affine[0], self._hidden[0], out=inner[1]))
        torch.mm(mlp.affine[-1], self._hidden[-1], out=out[:-1])
        slopes = [mlp.activation.slope(h) for h in inner]
        image = None
        if self.layers == 1:
            torch.mm(self.trace.minus_c, slopes[0], out=out[-1:])
        else:
            image = torch.mm(self.trace.core, slopes[0])
            torch.mm(self._minus, torch.mul(image, slopes[1]), out=out[-1:])
        if recording and self._tape is not None:
            self._tape.add(float(t), Evaluation(columns, self._hidden, slopes, image))
        return out.T

    def vjp(self, t: Any, y: Tensor, g: Tensor) -> VJP:
        """The value and its products with g (n, dim + 1)."""
        dim = self.dim
        found = self.mlp.divergence_vjp(t, y[:, :dim], g[:, :dim], -g[:, dim])
        value = torch.cat((found.value, -found.divergence.unsqueeze(1)), 1)
        return VJP(value, torch.nn.functional.pad(found.y, (0, 1)), found.parameters, found.t)

    def _product(self, t: float, y: Tensor, g: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        found = self.vjp(t, y, g)
        return found.y, found.parameters

    def linearize(self, ts: Sequence[float], ys: Tensor) -> Linearization:
        """Linearise at the stages (t_i, ys[i]), ys of shape (stages, n, dim + 1)."""
        if self.trace is None:
            return StagewiseLinearization(self._product, ts, ys)
        known = None if self._tape is None else self._tape.find(ts, ys.transpose(1, 2))
        return MLPFlowLinearization(self, self.trace, ts, ys, known)


class Evaluation(NamedTuple):
    """What one evaluation computed: its state (dim + 1, n), hidden layers with a row of ones, slopes, and M s_1."""

    columns: Tensor
    hidden: list[Tensor]
    slopes: list[Tensor]
    image: Tensor | None


class Tape:
    """The evaluations of a solve, by time, until they outgrow `TAPE_BYTES`; then none are kept."""

    def __init__(self) -> None:
        self._found: dict[float, list[Evaluation]] | None = {}
        self._bytes = 0

    def add(self, t: float, evaluation: Evaluation) -> None:
        """Keep an evaluation."""
        if self._found is None:
            return
        h = evaluation.hidden[0]
        self._bytes += 5 * h.numel() * h.element_size()
        if self._bytes > TAPE_BYTES:
            self._found = None
            return
        self._found.setdefault(t, []).append(evaluation)

    def find(self, ts: Sequence[float], columns: Tensor) -> list[Evaluation] | None:
        """The evaluations at these stages, columns (stages, dim + 1, n); None if one is missing.

        Several at one time (the last stages of a step, a rejected attempt) are told apart by their states.
        """
        found = []
        for t, state in zip(ts, columns, strict=True):
            known = None if self._found is None else self._found.get(float(t))
            if not known:
                return None
            distances = [float((e.columns - state).abs().max()) for e in known] if len(known) > 1 else [0.0]
            found.append(known[distances.index(min(distances))])
        return found


class TraceForm:
    """What the trace is made of at fixed factors: c for one hidden layer, M for two."""

    def __init__(self, factors: Sequence[Tensor]) -> None:
        self.factors = factors
        if len(factors) == 2:
            self.c = (factors[0] * factors[1].T).sum(1, keepdim=True)
            self.minus_c = -self.c.T
        else:
            self.loop = (factors[0] @ factors[2]).T
            self.core = factors[1] * self.loop
            self.core_transposed = self.core.T.contiguous()

    def slope_gradients(self, slopes: Sequence[Tensor]) -> list[Tensor]:
        """d tr / d s_l, columns independent of each other; (width, n), or (width, 1) where it is constant."""
        if len(slopes) == 1:
            return [self.c]
        return [torch.mm(self.core_transposed, slopes[1]), torch.mm(self.core, slopes[0])]

    def reduce(self, slopes: Sequence[Tensor], w: Tensor) -> Tensor:
        """Of sum_n w_n tr J_n: the gradient by c (width,) or by M; overwrites the last slopes."""
        if len(slopes) == 1:
            return torch.mv(slopes[0], w)
        return torch.mm(slopes[1].mul_(w), slopes[0].T)

    def factor_gradients(self, reduced: Tensor) -> list[Tensor]:
        """The gradients by the factors, from the sum of `reduce` over all columns."""
        factors = self.factors
        if len(factors) == 2:
            return [reduced.unsqueeze(1) * factors[1].T, reduced * factors[0].T]
        a1, a2, a3 = factors
        dloop = (reduced * a2).T
        return [dloop @ a3.T, reduced * self.loop, a1.T @ dloop]


class MLPFlowLinearization:
    """A `Linearization` of `CompiledMLPFlow` for one or two hidden layers; stages are worked on in groups.

    Visit the stages in any order, each once; the reverse order needs the memory of one group only.
    """

    def __init__(
        self,
        flow: CompiledMLPFlow,
        trace: TraceForm,
        ts: Sequence[float],
        ys: Tensor,
        known: Sequence[Evaluation] | None = None,
    ) -> None:
        self._flow, self._trace, self._known = flow, trace, known
        self._ts, self._columns = ts, ys.transpose(1, 2)
        self._size = 1 if known is not None else max(1, GROUP_COLUMNS // max(1, ys.shape[1]))
        self._open: dict[int, _Group | _KnownStage] = {}
        self._gradients: list[Tensor] | None = None
        self._reduced: Tensor | None = None
        self._times = ys.new_zeros(len(ts))

    def vjp(self, i: int, g: Tensor) -> Tensor:
        """g^T d[f, -tr]/d[z, delta] at stage i, (n, dim + 1)."""
        k, member = divmod(i, self._size)
        group = self._open.get(k)
        if group is None:
            group = self._open[k] = self._group(k)
        found = group.vjp(member, g.T)
        if group.complete:
            self._close(k)
        return found.T

    def parameter_gradients(self) -> tuple[Tensor, ...]:
        """Sum over the stages visited of g_i^T d/dtheta. Ends the sweep."""
        for k in list(self._open):
            self._close(k)
        gradients, reduced = self._gradients, self._reduced
        if gradients is None or reduced is None:
            raise RuntimeError("no stage took a cotangent: call vjp before parameter_gradients.")
        gain = self._flow.mlp.activation.gain
        for k, extra in enumerate(self._trace.factor_gradients(reduced)):
            weight = gradients[2 * k]
            (weight[:, : self._flow.dim] if k == 0 else weight).add_(extra, alpha=gain if k else 1.0)
        return tuple(gradients)

    def time_gradients(self) -> Tensor:
        """g_i^T d/dt of every stage, summed over the batch: (stages,). Ends the sweep."""
        for k in list(self._open):
            self._close(k)
        return self._times

    def _group(self, k: int) -> _Group | _KnownStage:
        if self._known is not None:
            return _KnownStage(self._flow, self._trace, self._ts[k], self._known[k])
        rows = slice(k * self._size, min((k + 1) * self._size, len(self._ts)))
        return _Group(self._flow, self._trace, self._ts[rows], self._columns[rows])

    def _close(self, k: int) -> None:
        group = self._open.pop(k)
        gradients, reduced = group.parameter_gradients()
        if self._gradients is None or self._reduced is None:
            self._gradients, self._reduced = gradients, reduced
        else:
            self._reduced.add_(reduced)
            for total, new in zip(self._gradients, gradients, strict=True):
                total.add_(new)
        if self._flow.mlp.time_dependent:
            self._times[k * self._size : k * self._size + len(group.ts)] = group.time_gradients()
        group.release()


class _KnownStage:
    """A single stage whose activations are on the tape."""

    def __init__(self, flow: CompiledMLPFlow, trace: TraceForm, t: float, evaluation: Evaluation) -> None:
        self.ts, self._t = [t], float(t)
        self._mlp, self._dim, self._trace, self._known = flow.mlp, flow.dim, trace, evaluation
        self.complete = False

    def vjp(self, _: int, g: Tensor) -> Tensor:
        """(dim + 1, n) -> (dim + 1, n)."""
        if self.complete:
            raise RuntimeError("this stage already took its cotangent; linearise again.")
        self.complete = True
        known, trace, curvature = self._known, self._trace, self._mlp.activation.curvature
        slopes = known.slopes
        through = (
            [trace.c] if known.image is None else [torch.mm(trace.core_transposed, slopes[1]), known.image]
        )
        transposed = self._mlp.transposed_factors()
        self._cotangent = cotangent = g[:-1]
        self._w = w = -g[-1]
        self._deltas: list[Tensor] = []
        for k in range(len(slopes) - 1, -1, -1):
            extra = curvature(known.hidden[k][:-1], slopes[k]).mul_(through[k]).mul_(w)
            cotangent = extra.addcmul_(torch.mm(transposed[k + 1], cotangent), slopes[k])
            self._deltas.insert(0, cotangent)
        out = torch.empty_like(g, memory_format=torch.contiguous_format)
        out[-1].zero_()
        torch.mm(transposed[0], cotangent, out=out[:-1])
        return out

    def parameter_gradients(self) -> tuple[list[Tensor], Tensor]:
        """As those of a group."""
        known, first, activation = self._known, self._deltas[0], self._mlp.activation
        ones = known.hidden[0][-1]
        bias = torch.mv(first, ones)
        weight = torch.mm(first, known.columns[:-1].T)
        if self._mlp.time_dependent:
            weight = torch.cat((weight, (bias * self._t).unsqueeze(1)), 1)
        gradients = [weight, bias]
        for delta, h in zip((*self._deltas[1:], self._cotangent), known.hidden, strict=True):
            gradients += layer_gradient(activation, delta, h[:-1], ones)
        # The tape may be asked again (retain_graph): `reduce` overwrites the last slopes.
        slopes = [*known.slopes[:-1], known.slopes[-1].clone()]
        return gradients, self._trace.reduce(slopes, self._w)

    def time_gradients(self) -> Tensor:
        """g^T d/dt, (1,)."""
        column = self._mlp.time_column
        assert column is not None
        return torch.mm(column.T, self._deltas[0]).sum(1)

    def release(self) -> None:
        """Nothing is borrowed."""


class _Group:
    """Stages side by side: layers as (width, stages * n)."""

    def __init__(self, flow: CompiledMLPFlow, trace: TraceForm, ts: Sequence[float], columns: Tensor) -> None:
        self.ts, self._flow, self._trace = ts, flow, trace
        mlp = flow.mlp
        self._mlp = mlp
        stages, rows, n = columns.shape
        self._left = stages
        self._space = space = mlp.take_workspace(stages, n)
        torch.cat(list(columns[:, :-1]), 1, out=space.inputs[: rows - 1])
        if mlp.time_dependent:
            times = columns.new_tensor([float(t) for t in ts])
            space.inputs[flow.dim].view(stages, n).copy_(times.unsqueeze(1))
        source = space.inputs
        for weight, hidden, inner in zip(
            (mlp.first_affine(), *mlp.affine[:-1]), space.hidden, space.inner, strict=True
        ):
            mlp.core_(torch.mm(weight, source, out=inner))
            source = hidden
        activation = mlp.activation
        self._slopes = [activation.slope(h) for h in space.inner]
        # The sign of -tr belongs to the weights w.
        self._through = [
            activation.curvature(h, s).mul_(d)
            for h, s, d in zip(space.inner, self._slopes, trace.slope_gradients(self._slopes), strict=True)
        ]
        self._slope_stages = [s.view(s.shape[0], stages, n).unbind(1) for s in self._slopes]
        self._through_stages = [p.view(p.shape[0], stages, n).unbind(1) for p in self._through]
        self._w = columns.new_zeros(stages, n)
        self._visited: set[int] = set()

    @property
    def complete(self) -> bool:
        """Whether every stage took its cotangent."""
        return len(self._visited) == len(self.ts)

    def vjp(self, i: int, g: Tensor) -> Tensor:
        """(dim + 1, n) -> (dim + 1, n); the cotangents of all layers stay in the workspace."""
        if i in self._visited:
            raise RuntimeError(f"stage {i} of its group already took its cotangent; linearise again.")
        self._visited.add(i)
        transposed, deltas = self._mlp.transposed_factors(), self._space.delta_stages
        cotangent = g[:-1]
        deltas[-1][i].copy_(cotangent)
        w = self._w[i]
        torch.neg(g[-1], out=w)
        for k in range(len(self._slopes) - 1, -1, -1):
            delta = torch.mm(transposed[k + 1], cotangent, out=deltas[k][i])
            cotangent = delta.mul_(self._slope_stages[k][i]).addcmul_(self._through_stages[k][i], w)
        out = torch.empty_like(g, memory_format=torch.contiguous_format)
        out[-1].zero_()
        torch.mm(transposed[0], cotangent, out=out[:-1])
        return out

    def parameter_gradients(self) -> tuple[list[Tensor], Tensor]:
        """(dW_1, db_1, ...) of the part through f, and what `TraceForm.reduce` makes of the trace's part."""
        space = self._space
        for i in set(range(len(self.ts))) - self._visited:
            for views in space.delta_stages:
                views[i].zero_()
        first = space.deltas[0]
        gradients = [torch.mm(first, space.inputs[:-1].T), torch.mv(first, space.ones)]
        for delta, h in zip(space.deltas[1:], space.inner, strict=True):
            gradients += layer_gradient(self._mlp.activation, delta, h, space.ones)
        return gradients, self._trace.reduce(self._slopes, self._w.view(-1))

    def time_gradients(self) -> Tensor:
        """g_i^T d/dt of every stage (stages,)."""
        column = self._mlp.time_column
        assert column is not None
        return torch.mm(column.T, self._space.deltas[0]).view(len(self.ts), -1).sum(1)

    def release(self) -> None:
        """Give the memory back; the group is used up."""
        self._mlp.give_workspace(len(self.ts), self._w.shape[1], self._space)
