"""The code behind the pictures of the CNF lesson, as text that runs as it stands."""

from __future__ import annotations

from dataclasses import replace

from node_core.cnf.painted import TargetConfig
from node_core.studies.cnf.audit_config import CNFAuditConfig
from node_core.studies.cnf.cost_config import CNFCostConfig
from node_core.studies.snippets import Code, assign, script
from node_core.training.flow.config import CNFConfig

MAX_WRITTEN = 60  # strokes of a drawing that are written out


def flow_snippet(config: CNFConfig) -> str:
    """Train what the page trains and print a line every 20 iterations."""
    return script(
        ["from itertools import islice", "from node_core.training.flow.train import train"],
        *_training(config),
        "for snapshot in islice(train(config, every=20), 6):",
        "    s = snapshot.scalars",
        '    print(s["iteration"], s["log_likelihood"], s["nfe_forward"], s["nfe_backward"])',
    )


def ways_snippet(config: CNFConfig) -> str:
    """Train the same field in three ways, and straighten the second; a line for each."""
    return script(
        [
            "from dataclasses import replace",
            "from node_core.training.flow.compared import trained_by",
        ],
        *_training(replace(config, start="", iterations=60)),
        'matched = replace(config, objective="flow_matching", iterations=600)',
        "ways = {",
        '    "likelihood": [config],',
        '    "flow matching": [matched],',
        '    "OT pairs": [replace(matched, objective="ot_flow_matching")],',
        '    "then reflow": [matched, replace(matched, objective="reflow", iterations=800)],',
        "}",
        "for name, parts in ways.items():",
        "    trainer, rows = trained_by(parts)",
        "    s = trainer.snapshot().scalars",
        '    print(name, rows[-1]["seconds"], s["nll"], s["straightness"], s["nfe"], s["energy_1"])',
    )


def theorem_snippet(config: CNFConfig, particle: int) -> str:
    """Log p along one path, and the integral of the trace that it must equal."""
    return script(
        ["import torch", "from node_core.training.flow.train import initial_state, trained_flow"],
        *_training(config),
        "flow = trained_flow(config, initial_state(config))",
        f"z0 = flow.base.sample(200, config.seed)[{particle}:{particle + 1}]",
        "path = flow.trajectory(z0, 101)",
        "area = torch.trapezoid(-path.divergence[:, 0].double(), path.ts.double())",
        "print(area.item(), (path.log_prob[-1, 0] - path.log_prob[0, 0]).item())",
    )


def area_snippet(config: CNFConfig, particle: int, t: float, eps: float) -> str:
    """The area of a small square after a moment of the flow, and what the trace says of it."""
    return script(
        [
            "import numpy as np",
            "from node_core.studies.cnf.area import run",
            "from node_core.studies.cnf.area_config import AreaConfig",
        ],
        *_training(config),
        f"J = run(AreaConfig(config, {particle}, {t!r})).jacobian",
        f"eps = {eps!r}",
        "print(np.linalg.det(np.eye(2) + eps * J), 1 + eps * np.trace(J), eps**2 * np.linalg.det(J))",
    )


def audit_snippet(config: CNFConfig) -> str:
    """The integral of the density, the way there and back, and the estimated trace beside the exact one."""
    return script(
        ["from node_core.studies.cnf.audit import run"],
        *_training(config),
        assign("asked", CNFAuditConfig(config), {"run": "config"}),
        "result = run(asked)",
        "for check in result.checks:",
        "    print(check.label, check.integral, check.round_trip.max())",
        "if result.band:",
        "    print(result.band.exact[-1], result.band.mean[-1], result.band.error[-1])",
    )


def runner_snippet(flow: str, size: int) -> str:
    """Train one flow of the race for a hundred iterations (the page's numbers come from 1,200)."""
    return script(
        [
            "from node_core.cnf.targets import TARGETS",
            "from node_core.studies.cnf.make_race import RACE_TARGET, log_normaliser, run_one",
        ],
        f"runner = run_one({flow!r}, {size}, log_normaliser(TARGETS[RACE_TARGET]), iterations=100)",
        "print(runner.parameters, runner.kl, runner.seconds)",
    )


def cost_snippet() -> str:
    """Measure the determinant against the trace."""
    return script(
        ["from node_core.studies.cnf.cost import run"],
        assign("asked", CNFCostConfig()),
        "result = run(asked)",
        "for way, seconds in result.seconds.items():",
        "    print(way, result.slopes[way], seconds)",
    )


def _training(config: CNFConfig) -> list[str | Code]:
    """`config = CNFConfig(...)`, with a picture made up in place of a user's own and few strokes of a drawing."""
    target = config.target
    if target.name == "image":
        picture = Code(
            "\n".join(
                [
                    "# In place of your picture: image = Path('picture.png').read_bytes()",
                    'page = Image.new("L", (64, 64), "white")',
                    'ImageDraw.Draw(page).ellipse((12, 12, 52, 52), outline="black", width=8)',
                    "file = BytesIO()",
                    'page.save(file, "PNG")',
                    "image = file.getvalue()",
                ]
            ),
            frozenset({"from io import BytesIO", "from PIL import Image, ImageDraw"}),
        )
        return [picture, assign("config", config, {"image": "image"})]
    return [assign("config", replace(config, target=_few_strokes(target)))]


def _few_strokes(target: TargetConfig) -> TargetConfig:
    every = max(1, len(target.strokes) // MAX_WRITTEN)
    return replace(target, strokes=target.strokes[::every])
