"""torch's global random state around a solve: a field that draws from it is another function at every call."""

from __future__ import annotations

import torch
from torch import Tensor


class Generators:
    """The state of the generators that a field on this device draws from (dropout, torch.randn), as they are now.

    Attributes:
        devices: those beside the CPU.
    """

    def __init__(self, device: torch.device) -> None:
        self.devices = [device] if device.type == "cuda" else []
        self._state = self._now()

    def moved(self) -> bool:
        """Whether something was drawn since."""
        return not all(map(torch.equal, self._state, self._now()))

    def rewind(self) -> None:
        """Go back, so that the same numbers are drawn again."""
        torch.set_rng_state(self._state[0])
        for device, state in zip(self.devices, self._state[1:], strict=True):
            torch.cuda.set_rng_state(state, device)

    def _now(self) -> list[Tensor]:
        return [torch.get_rng_state(), *map(torch.cuda.get_rng_state, self.devices)]
