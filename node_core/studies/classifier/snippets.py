"""The code behind the studies of a trained classifier, as text that runs as it stands."""

from __future__ import annotations

from dataclasses import replace

from node_core.data.dataset import DataConfig
from node_core.studies.classifier.hlambda_config import HLambdaConfig
from node_core.studies.classifier.regularizer_race_config import RegularizerRaceConfig
from node_core.studies.classifier.solver_swap_config import SolverSwapConfig
from node_core.studies.snippets import Code, assign, script
from node_core.training.classifier.config import TrainConfig

MAX_WRITTEN_POINTS = 12


def train_snippet(config: TrainConfig) -> str:
    """Train what the page trains and print a line every 50 iterations."""
    return script(
        ["from itertools import islice", "from node_core.training.classifier.train import train"],
        _training(config),
        "for snapshot in islice(train(config, every=50), 11):",
        "    s = snapshot.scalars",
        '    print(s["iteration"], s["loss"], s["accuracy"], s["nfe_forward"], s["nfe_backward"])',
    )


def swap_snippet(asked: SolverSwapConfig) -> str:
    """Train and judge the weights with other solvers."""
    return script(
        ["from node_core.studies.classifier.solver_swap import run"],
        _training(asked.train),
        _asked(asked),
        "result = run(asked)",
        "print(result.sentence)",
        "for entry in (result.trained, result.reference, *result.entries):",
        "    print(entry.method, entry.dt, entry.accuracy, entry.nfe)",
    )


def hlambda_snippet(asked: HLambdaConfig) -> str:
    """Train, and print the largest factor by which a step multiplies a small error."""
    return script(
        [
            "import numpy as np",
            "from node_core.solvers.stability import stability_function",
            "from node_core.studies.classifier.hlambda import run",
        ],
        _training(asked.train),
        _asked(asked),
        "cloud = run(asked)",
        "print(cloud.dt, cloud.largest, np.abs(stability_function(cloud.method, cloud.h_lambda)).max())",
    )


def race_snippet(asked: RegularizerRaceConfig) -> str:
    """Run the race and print what each lane ended with."""
    return script(
        ["from node_core.studies.classifier.regularizer_race import run"],
        _training(asked.train),
        _asked(asked),
        "result = run(asked)",
        "for lane in result.lanes:",
        "    print(lane.name, lane.final_loss, lane.final_accuracy, lane.final_nfe, lane.straightness)",
    )


def _training(config: TrainConfig) -> Code:
    """`config = TrainConfig(...)`, from random weights and with few of a user's own points."""
    return assign("config", replace(config, data=_few_points(config.data), start=""))


def _asked(asked: SolverSwapConfig | HLambdaConfig | RegularizerRaceConfig) -> Code:
    return assign("asked", asked, {"train": "config"})


def _few_points(data: DataConfig) -> DataConfig:
    """The data with so many of a user's own points that all classes are there, and the text stays short."""
    if not data.points:
        return data
    seen: dict[int, int] = {}
    ranked = []
    for k, label in enumerate(data.labels):
        seen[label] = seen.get(label, 0) + 1
        ranked.append((seen[label], k))
    kept = sorted(k for _, k in sorted(ranked)[: max(MAX_WRITTEN_POINTS, len(seen))])
    return replace(
        data,
        n=len(kept),
        points=tuple(data.points[k] for k in kept),
        labels=tuple(data.labels[k] for k in kept),
    )
