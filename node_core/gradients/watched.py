"""What a field depends on only later than at the start of its solve: noticed at some of the calls, and told.

What f(t0, y0) depends on is looked for in every solve (see `probe`). A force that sets in later, or a second net that
takes over, is not to be seen there, and would have no derivative. To look at every call costs too much, so some are
looked at: each whose number is a power of two, and each 64th.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from node_core.fields.own import Around, is_autonomous, own_method, own_word
from node_core.gradients.probe import shapes_of, walk
from node_core.solvers.dual import carries_tangent


class Watched(Around):
    """A field that refuses to depend on what nobody was told of.

    Args:
        f: the field.
        known: tensors that it may depend on; None if it may on all.
        tangents: whether to refuse tangents of forward-mode differentiation.

    Raises:
        ValueError: it does, with the remedy.
    """

    def __init__(
        self, f: Callable[[Any, Tensor], Tensor], known: Sequence[Tensor] | None, tangents: bool
    ) -> None:
        self.inner, self._known, self._tangents = f, known, tangents
        self._calls = 0
        self.accepts_float_time = own_word(f, "accepts_float_time")
        self.autonomous = is_autonomous(f)
        own = own_method(f, "jacobian")
        if own is not None:
            self.jacobian = own

    def __call__(self, t: Any, y: Tensor) -> Any:
        """Return f(t, y)."""
        self._calls += 1
        n = self._calls
        return self.inner(t, y) if n & (n - 1) and n % 64 else self._look(t, y)

    def _look(self, t: Any, y: Tensor) -> Any:
        """The same, with a look at its graph and its tangent."""
        recorded = torch.is_grad_enabled()
        # A detached tensor has lost its tangent: only what would bring a graph is detached.
        state = y if recorded or not y.requires_grad else y.detach()
        with torch.enable_grad(), forward_ad._set_fwd_grad_enabled(True):
            value = self.inner(t, state)
            if not isinstance(value, Tensor):
                return value
            if self._tangents and carries_tangent(value):
                raise ValueError(
                    "f carries tangents of forward-mode differentiation, but not yet where the solve begins: let it do "
                    "so there, too (add 0 times it), or take a method of this library and gradient='backprop'"
                )
            if self._known is not None and value.requires_grad:
                self._refuse_others(t, state, value)
        return value if recorded or not value.requires_grad else value.detach()

    def _refuse_others(self, t: Any, y: Tensor, value: Tensor) -> None:
        assert self._known is not None
        known = (*self._known, y) if y.requires_grad else self._known
        _, others = walk(value, known)
        if others:
            # Leaves that f makes for itself are others at the next call.
            with torch.random.fork_rng(devices=[y.device] if y.is_cuda else []):
                _, again = walk(self.inner(t, y), known)
            others = tuple(leaf for leaf in others if any(leaf is other for other in again))
        if others:
            raise ValueError(
                f"f depends on tensors that require gradients (shapes {shapes_of(others)}), but not yet where the "
                "solve begins, where that is looked for: pass them as params=, for example params=net.parameters(), or "
                "params=() to want none"
            )
