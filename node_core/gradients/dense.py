"""Dense output with its derivatives: y(t) by the start, the parameters and t itself, alike in all modes.

A mode that hides its solve from autograd goes back from outputs at given times. Times that are asked for later are
further outputs of the same accepted steps, so the same way back serves them. By t the derivative is that of the
solution, f(t, y(t)), as for ts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from node_core.fields.recalled import without_autocast
from node_core.gradients.mode import Request, Run, SolveFunction
from node_core.gradients.times import moved_outputs
from node_core.solution import BackwardRecord
from node_core.solvers.dense import TabulatedSolution
from node_core.solvers.problem import Problem
from node_core.solvers.solve import Solved

Inner = Callable[[Sequence[float]], Tensor]
FieldAt = Callable[[Any, Tensor], Tensor]


class DenseOutput:
    """y(t) in the user's layout. A copy, or what comes out of a pickle, has no derivatives.

    Args:
        solved, problem: the solve, with dense output.
        tracking: whether the solve recorded gradients.
        restore: states in the user's layout.
        f, kind: the field in that layout, and the type of the time it is told.
        t0: when the solve began, as f is told it.
    """

    def __init__(
        self,
        solved: Solved,
        problem: Problem,
        tracking: bool,
        restore: Callable[[Tensor], Tensor],
        f: FieldAt,
        kind: torch.dtype,
        t0: float,
    ) -> None:
        assert solved.dense is not None
        self._inner: Inner = solved.dense
        self._restore = restore
        self._run, self._tracking = solved.run, tracking
        self._problem: Problem | None = problem
        self._f: FieldAt | None = f
        self._kind, self._device = kind, problem.y0.device.type
        self._starts = [t for t, _, _, accepted in solved.rows if accepted]
        self._t_end = solved.t_end
        self._start = (t0, problem.y0.detach(), None if solved.slope is None else solved.slope.detach())

    def __call__(self, times: Sequence[float], t: Tensor | None = None) -> Tensor:
        """Return y at each time, shape (times, \\*y0.shape).

        Args:
            t: the times as a tensor to be differentiated by.

        Raises:
            ValueError: a time outside of what was solved, or derivatives by t of a copy, or by an f that has changed.
        """
        graph = self._tracking and torch.is_grad_enabled()
        with torch.set_grad_enabled(graph), without_autocast(self._device):
            ys = self._restore(self._at(times) if graph and self._run is not None else self._inner(times))
        if t is None or not torch.is_grad_enabled():
            return ys
        if self._f is None:
            raise ValueError("a solution that was copied or pickled has no gradient by t: pass t.detach()")
        self._check_field(self._f)
        return moved_outputs(self._f, ys, t, times, self._kind)

    def _check_field(self, f: FieldAt) -> None:
        """Refuse a derivative f(t, y(t)) by an f that is not that of the solve."""
        t0, y0, slope = self._start
        if slope is None:
            return
        with torch.no_grad():
            # The solve may have evaluated it by another formula.
            now, unit = f(t0, self._restore(y0[None])[0]), torch.finfo(y0.dtype).eps ** 0.5
            known = self._restore(slope[None])[0]
            if bool((now - known).abs().max() > unit * (known.abs().max() + now.abs().max())):
                raise ValueError(
                    "f(t, y) is no longer what it was in the solve, so that its dense output has no derivative by t: "
                    "pass t.detach(), or ask before what f holds is changed"
                )

    def _at(self, times: Sequence[float]) -> Tensor:
        assert self._run is not None and self._problem is not None
        run, problem = LaterOutputs(self._run, self._inner, self._problem, times), self._problem
        ys: Tensor = SolveFunction.apply(run, problem.y0, *problem.params)
        return ys

    def __getstate__(self) -> dict[str, Any]:
        """Only values: neither the field nor a graph can travel."""
        with torch.no_grad():
            try:
                known: Inner = TabulatedSolution(self, self._starts, self._t_end)
            except ValueError as error:
                known = _Refusing(str(error))
        gone = {"_run": None, "_tracking": False, "_problem": None, "_f": None, "_start": None}
        return {**vars(self), **gone, "_inner": known, "_restore": _as_it_is}


class _Refusing:
    """What is left of a dense output that could no longer be evaluated when it was copied."""

    def __init__(self, why: str) -> None:
        self._why = why

    def __call__(self, times: Sequence[float]) -> Tensor:
        raise ValueError(self._why)


def _as_it_is(ys: Tensor) -> Tensor:
    """States that are in the user's layout already."""
    return ys


class LaterOutputs:
    """A `Run` for outputs of a finished solve at other times.

    Args:
        run: the solve.
        dense: its dense output.
        times: in any order, also repeatedly.
    """

    keeps_graph = False

    def __init__(self, run: Run, dense: Inner, problem: Problem, times: Sequence[float]) -> None:
        start, end = problem.ts[0], run.solved.t_end
        low, high = sorted((start, end))
        clamped = [min(max(t, low), high) for t in times]
        # The way back wants both ends, and the times in their order.
        rows = sorted({start, *clamped, end}, reverse=start > end)
        number = {t: i for i, t in enumerate(rows)}
        self._dense, self._rows, self._asked = dense, rows, [number[t] for t in clamped]
        self._run = copy.copy(run)
        self._run.request = quiet(run.request)
        self.request, self.solved = self._run.request, run.solved

    def forward(self) -> Tensor:
        """Return the states at the times."""
        with torch.set_grad_enabled(self._run.keeps_graph):
            ys = self._dense(self._rows)
        self._run.solved = self.solved = replace(self.solved, ys=ys, times=tuple(self._rows), run=None)
        return ys.detach()[self._asked]

    def backward(self, grad_ys: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Go back as the solve does."""
        return self._run.backward(self._spread(grad_ys))

    def backward_in_graph(self, y0: Tensor, params: Sequence[Tensor], grad_ys: Tensor) -> Sequence[Tensor]:
        """The same as differentiable functions."""
        return self._run.backward_in_graph(y0, params, self._spread(grad_ys))

    def _spread(self, grad_ys: Tensor) -> Tensor:
        """The cotangents of all rows; those that nobody asked for have none."""
        zeros = grad_ys.new_zeros((len(self._rows), *grad_ys.shape[1:]))
        return zeros.index_add(0, torch.tensor(self._asked, device=grad_ys.device), grad_ys)


def quiet(request: Request) -> Request:
    """The same without a record: what is shown of a way back is that of ys."""
    return replace(request, record=BackwardRecord(), record_adjoint=False)
