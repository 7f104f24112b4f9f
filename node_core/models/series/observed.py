"""Series with irregular times and gaps as tensors: on their common times, and each on its own.

Several series that were observed at different times stand on the union of these times, with a mask. What a solver does,
it does on the union, once for all; what a recurrent net does, it does on each series' own times, packed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Observed(NamedTuple):
    """A batch of series.

    times    (T,) float64, strictly increasing, common to all
    values   (B, T, D); 0 where not observed
    mask     (B, T, D) bool, True where observed
    """

    times: Tensor
    values: Tensor
    mask: Tensor

    @property
    def n_values(self) -> int:
        """Number of observed values."""
        return int(self.mask.sum())

    def rows(self, chosen: Tensor, times: Tensor | None = None) -> Observed:
        """Some of the series, on the times at which one of them is observed; what is left out is forgotten.

        Args:
            chosen: (k,) indices of series.
            times: (k, T) bool, which of each one's times to keep; None for all.
        """
        found = Observed(self.times, self.values[chosen], self.mask[chosen])
        return (found if times is None else found.only(times.unsqueeze(-1))).trimmed()

    def trimmed(self) -> Observed:
        """The same without the times at which nothing is observed."""
        seen = self.mask.any(-1).any(0)
        if bool(seen.all()):
            return self
        return Observed(self.times[seen], self.values[:, seen], self.mask[:, seen])

    def only(self, mask: Tensor) -> Observed:
        """The same with fewer values observed; what is no longer observed is forgotten.

        Args:
            mask: broadcastable to (B, T, D).
        """
        kept = self.mask & mask
        return Observed(self.times, torch.where(kept, self.values, 0.0), kept)


def together(
    times: Sequence[NDArray[np.floating]],
    values: Sequence[NDArray[np.floating]],
    dtype: torch.dtype = torch.float32,
) -> Observed:
    """Put series on the union of their times.

    Args:
        times: (n_i,) increasing, one a series.
        values: (n_i, D); NaN where not observed.
        dtype: of the values.
    """
    union = np.unique(np.concatenate(times))
    dim = values[0].shape[1]
    table = np.full((len(times), len(union), dim), np.nan)
    for i, (ts, xs) in enumerate(zip(times, values, strict=True)):
        table[i, np.searchsorted(union, ts)] = xs
    mask = np.isfinite(table)
    return Observed(
        torch.from_numpy(union),
        torch.from_numpy(np.where(mask, table, 0.0)).to(dtype),
        torch.from_numpy(mask),
    )


class Packed(NamedTuple):
    """The times at which each series was observed at all, in one order, filled up at the end.

    values   (B, N, D); 0 where not observed
    mask     (B, N, D) of the values' type: 1 where observed
    times    (B, N) float64; the filling has the time `end`
    gaps     (B, N): time from an observation to the next one in this order, and from the last one to `end`
    valid    (B, N) bool: False in the filling
    counts   (B,) observations of each series
    """

    values: Tensor
    mask: Tensor
    times: Tensor
    gaps: Tensor
    valid: Tensor
    counts: Tensor

    @property
    def inputs(self) -> Tensor:
        """What a recurrent net reads at an observation: values, mask and gap, (B, N, 2 D + 1)."""
        return torch.cat((self.values, self.mask, self.gaps.unsqueeze(-1)), -1)


def pack(observed: Observed, end: float, backward: bool = False) -> Packed:
    """Each series on its own times.

    Args:
        observed: the batch.
        end: where the last gap ends: before the first time if `backward`, else after the last.
        backward: latest first.
    """
    times, values, mask = observed
    n_times = len(times)
    seen = mask.any(-1)
    counts = seen.sum(1)
    place = torch.arange(n_times, device=times.device)
    if backward:
        place = place.flip(0)
    order = torch.where(seen, place, n_times).argsort(1)[:, : max(1, int(counts.max()))]
    valid = torch.arange(order.shape[1], device=times.device) < counts.unsqueeze(1)
    picked = order.unsqueeze(-1).expand(-1, -1, values.shape[-1])
    kept = mask.gather(1, picked) & valid.unsqueeze(-1)
    own_times = torch.where(valid, times[order], end)
    following = torch.cat((own_times[:, 1:], own_times.new_full((len(order), 1), end)), 1)
    gaps = (own_times - following).abs().to(values.dtype)
    packed_values = torch.where(kept, values.gather(1, picked), 0.0)
    return Packed(packed_values, kept.to(values.dtype), own_times, gaps, valid, counts)
