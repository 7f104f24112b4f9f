"""What the page of ResNets asks before anybody has touched it, for each net: these answers come with the project."""

from __future__ import annotations

from node_core.studies.resnets.limit_config import FIRST_DEPTH, NETS, DepthConfig, LimitConfig

_PICTURE = "node_core.studies.resnets.limit:advance"

QUESTIONS = {
    **{f"limit_{net}": ("node_core.studies.resnets.limit:run", LimitConfig(net)) for net in NETS},
    **{f"depth_{net}": (_PICTURE, DepthConfig(net, FIRST_DEPTH)) for net in NETS},
    **{f"flow_{net}": (_PICTURE, DepthConfig(net)) for net in NETS},
}
