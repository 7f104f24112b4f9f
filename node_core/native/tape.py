"""What a compiled solve leaves behind: its attempts, its accepted steps, and the way back through them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload

import numpy as np
import torch
from torch import Tensor

from node_core.native.library import Functions, Job
from node_core.solvers.loop import Row
from node_core.solvers.steppers.step import Step, StepResult


class Tape:
    """The memory of one compiled solve, which it frees with itself. Times are signed as the solve went.

    Args:
        functions: the library.
        handle: the solve there.
        job: what was asked for, and what came out.
        y0: (dim, n), as all states here.
        stages: of a step.
        fsal: whether a step's last slope is that at its end.
    """

    def __init__(
        self, functions: Functions, handle: int, job: Job, y0: Tensor, stages: int, fsal: bool
    ) -> None:
        self._functions, self._handle = functions, handle
        self._like, self._stages, self._fsal = y0, stages, fsal
        self.n_steps, self._n_rows = job.n_steps, job.n_rows

    def __del__(self) -> None:
        self._functions.release(self._handle)

    def rows(self) -> list[Row]:
        """Every attempt: (t, dt, error_ratio, accepted)."""
        table = np.empty((self._n_rows, 4))
        self._functions.rows(self._handle, table.ctypes.data)
        return [(t, h, ratio, accepted != 0.0) for t, h, ratio, accepted in table.tolist()]

    @cached_property
    def steps(self) -> list[Step]:
        """The accepted steps, as torch's solve keeps them."""
        dim, n = self._like.shape
        times = np.empty((self.n_steps, 2))
        states = self._like.new_empty(self.n_steps + 1, n, dim)
        slopes = self._like.new_empty(self.n_steps, self._stages, n, dim)
        self._functions.steps(self._handle, times.ctypes.data, states.data_ptr(), slopes.data_ptr())
        found = []
        columns = states.transpose(1, 2).contiguous()
        for i, ((t, dt), k) in enumerate(
            zip(times.tolist(), slopes.transpose(2, 3).contiguous(), strict=True)
        ):
            f1 = k[-1] if self._fsal else None
            found.append(Step(t, dt, columns[i], k[0], StepResult(columns[i + 1], None, f1, k)))
        return found

    def back(
        self, grad_ys: Tensor, times: Sequence[float], shapes: Sequence[torch.Size]
    ) -> tuple[Tensor, list[Tensor], int]:
        """dL/dy0, dL/dtheta and the number of evaluations gone through, for dL/dys (time, dim, n) at these times.

        Args:
            shapes: of the parameters; empty where their gradient is not wanted.
        """
        cotangents = grad_ys.detach().transpose(1, 2).contiguous()
        ts = np.array(times)
        grad_y0 = cotangents.new_empty(cotangents.shape[1:])
        sizes = [shape.numel() for shape in shapes]
        flat = cotangents.new_empty(sum(sizes))
        nfe = self._functions.back(
            self._handle,
            ts.ctypes.data,
            len(ts),
            cotangents.data_ptr(),
            grad_y0.data_ptr(),
            flat.data_ptr() if sizes else None,
        )
        if nfe < 0:
            raise MemoryError("there is no memory for the way back through this solve")
        parts = [part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]
        return grad_y0.T, parts, nfe


class TapedSteps(Sequence[Step]):
    """The accepted steps of a compiled solve, copied out of it when somebody looks at one."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def __len__(self) -> int:
        return self._tape.n_steps

    def __iter__(self) -> Iterator[Step]:
        return iter(self._tape.steps)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        return self._tape.steps[index]


def reversed_rows(rows: Sequence[Row]) -> list[Row]:
    """The accepted steps in reverse, as a way back records them."""
    return [(t + dt, -dt, math.nan, True) for t, dt, _, accepted in reversed(rows) if accepted]
