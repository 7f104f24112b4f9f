"""The code behind the pictures of the CNF lesson, as text that runs as it stands."""

from __future__ import annotations

from dataclasses import fields, replace

from node_core.cnf.painted import TargetConfig
from node_core.training.cnf_config import CNFConfig

MAX_WRITTEN = 60  # strokes of a drawing that are written out

_CONFIGS = [
    "from node_core.cnf.painted import TargetConfig",
    "from node_core.training.cnf_config import CNFConfig",
]


def flow_snippet(config: CNFConfig) -> str:
    """Train what the page trains and print a line every 20 iterations."""
    return "\n".join(
        [
            "from itertools import islice",
            "",
            *_CONFIGS,
            "from node_core.training.cnf import train",
            "",
            *_config(config),
            "for snapshot in islice(train(config, every=20), 6):",
            "    s = snapshot.scalars",
            '    print(s["iteration"], s["log_likelihood"], s["nfe_forward"], s["nfe_backward"])',
        ]
    )


def theorem_snippet(config: CNFConfig, particle: int) -> str:
    """Log p along one path, and the integral of the trace that it must equal."""
    return "\n".join(
        [
            "import torch",
            "",
            *_CONFIGS,
            "from node_core.training.cnf import initial_state, trained_flow",
            "",
            *_config(config),
            "flow = trained_flow(config, initial_state(config))",
            f"z0 = flow.base.sample(200, config.seed)[{particle}:{particle + 1}]",
            "path = flow.trajectory(z0, 101)",
            "area = torch.trapezoid(-path.divergence[:, 0].double(), path.ts.double())",
            "print(area.item(), (path.log_prob[-1, 0] - path.log_prob[0, 0]).item())",
        ]
    )


def audit_snippet(config: CNFConfig) -> str:
    """The integral of the density, the way there and back, and the estimated trace beside the exact one."""
    return "\n".join(
        [
            *_CONFIGS,
            "from node_core.studies.cnf_audit import run",
            "from node_core.studies.cnf_audit_config import CNFAuditConfig",
            "",
            *_config(config),
            "result = run(CNFAuditConfig(config))",
            "for check in result.checks:",
            "    print(check.label, check.integral, check.round_trip.max())",
            "if result.band:",
            "    print(result.band.exact[-1], result.band.mean[-1], result.band.error[-1])",
        ]
    )


def runner_snippet(flow: str, size: int) -> str:
    """Train one flow of the race for a hundred iterations (the page's numbers come from 1,200)."""
    return "\n".join(
        [
            "from node_core.cnf.targets import TARGETS",
            "from node_core.studies.make_cnf_race import RACE_TARGET, log_normaliser, run_one",
            "",
            f'runner = run_one("{flow}", {size}, log_normaliser(TARGETS[RACE_TARGET]), iterations=100)',
            "print(runner.parameters, runner.kl, runner.seconds)",
        ]
    )


def cost_snippet() -> str:
    """Measure the determinant against the trace."""
    return "\n".join(
        [
            "from node_core.studies.cnf_cost import run",
            "from node_core.studies.cnf_cost_config import CNFCostConfig",
            "",
            "result = run(CNFCostConfig())",
            "for way, seconds in result.seconds.items():",
            "    print(way, result.slopes[way], seconds)",
        ]
    )


def _config(config: CNFConfig) -> list[str]:
    """`config = CNFConfig(...)` with what differs from the defaults."""
    plain = CNFConfig()
    lines = []
    if config.target.name == "image":
        lines = [
            "from io import BytesIO",
            "from PIL import Image, ImageDraw",
            "",
            "# In place of your picture: data = Path('picture.png').read_bytes()",
            'page = Image.new("L", (64, 64), "white")',
            'ImageDraw.Draw(page).ellipse((12, 12, 52, 52), outline="black", width=8)',
            "file = BytesIO()",
            'page.save(file, "PNG")',
        ]
    parts = [f"target={_target(config.target)}"]
    parts += [
        f"{entry.name}={getattr(config, entry.name)!r}"
        for entry in fields(config)
        if entry.name != "target" and getattr(config, entry.name) != getattr(plain, entry.name)
    ]
    return [*lines, "config = CNFConfig(", *(f"    {part}," for part in parts), ")"]


def _target(target: TargetConfig) -> str:
    if target.name == "image":
        return f'TargetConfig("image", image=file.getvalue(), invert={target.invert})'
    if target.strokes:
        every = max(1, len(target.strokes) // MAX_WRITTEN)
        return f'TargetConfig("drawn", strokes={replace(target, strokes=target.strokes[::every]).strokes!r})'
    return f"TargetConfig({target.name!r})"
