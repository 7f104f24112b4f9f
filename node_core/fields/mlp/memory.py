"""Memory for the activations and cotangents of an MLPField at several stages of a solve, side by side."""

from collections.abc import Sequence

import torch
from torch import Tensor

from node_core.fields.layout import workspace


class StageWorkspace:
    """Memory of one group: layers as (width, stages * n), and views (width, n) of its stages.

    inputs    [y; t; 1]; `hidden` likewise ends in a row of ones, `inner` is hidden without it
    deltas    cotangents of all layers' pre-activations, the last that of f

    A field keeps those that are free: fresh memory costs as much in page faults as the products.
    """

    def __init__(self, like: Tensor, rows: Sequence[int], widths: Sequence[int], stages: int, n: int) -> None:
        self.inputs = like.new_ones(rows[0], stages * n)
        self.hidden = [workspace(like, k + 1, stages * n) for k in widths]
        for h in self.hidden:
            h[-1].fill_(1.0)
        self.inner = [h[:-1] for h in self.hidden]
        self.deltas = [workspace(like, k, stages * n) for k in (*widths, rows[1])]
        # unbind gives all stages' views in one call.
        self.input_stages, *self.hidden_stages = (
            h.unflatten(1, (stages, n)).unbind(1) for h in (self.inputs, *self.hidden)
        )
        self.state_stages = [source[: rows[1]] for source in self.input_stages]
        self.stages = [h.unflatten(1, (stages, n)).unbind(1) for h in self.inner]
        self.delta_stages = [d.unflatten(1, (stages, n)).unbind(1) for d in self.deltas]


# Free memory of a field's sweeps, by number of stages, columns, type and device: it outlives the snapshots.
Workspaces = dict[tuple[int, int, torch.dtype, torch.device], list[StageWorkspace]]
