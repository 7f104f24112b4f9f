"""The curve of a live picture as a table that anybody can read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np


def curve_table(arrays: Mapping[str, np.ndarray], names: Sequence[str]) -> str:
    """A CSV: the time, and of each value the curve and the lower and upper end of its band; empty where there is none.

    Args:
        arrays: of a snapshot (see `node_core.training.series.picture`).
        names: of the values.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["time", *(f"{name}{part}" for name in names for part in ("", " low", " high"))])
    parts = np.stack([arrays["curve"], arrays["low"], arrays["high"]], axis=-1).reshape(
        len(arrays["curve_t"]), -1
    )
    for t, row in zip(arrays["curve_t"], parts, strict=True):
        writer.writerow([f"{t:.9g}", *("" if np.isnan(value) else f"{value:.7g}" for value in row)])
    return out.getvalue()
