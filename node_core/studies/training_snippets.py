"""The code behind the pictures of the training lessons, as text that runs as it stands."""

from __future__ import annotations

from dataclasses import fields

from node_core.data.dataset import DataConfig
from node_core.studies.hlambda_config import HLambdaConfig
from node_core.studies.regularizer_race_config import RegularizerRaceConfig
from node_core.studies.solver_swap_config import SolverSwapConfig
from node_core.training.config import TrainConfig

MAX_WRITTEN_POINTS = 12


def train_snippet(config: TrainConfig) -> str:
    """Train what the page trains and print a line every 50 iterations."""
    return "\n".join(
        [
            "from itertools import islice",
            "",
            "from node_core.data.dataset import DataConfig",
            "from node_core.training.config import TrainConfig",
            "from node_core.training.train import train",
            "",
            *_config(config),
            "for snapshot in islice(train(config, every=50), 11):",
            "    s = snapshot.scalars",
            '    print(s["iteration"], s["loss"], s["accuracy"], s["nfe_forward"], s["nfe_backward"])',
        ]
    )


def limit_snippet(config: TrainConfig, layers: int) -> str:
    """Train an ODE-Net, give its weights to a ResNet of L layers, and measure how far the two end apart."""
    return "\n".join(
        [
            "import torch",
            "from node_core.data.dataset import DataConfig",
            "from node_core.models.classifier import copy_weights",
            "from node_core.models.resnet import ResNet",
            "from node_core.training.build import dataset, trained_model",
            "from node_core.training.config import TrainConfig",
            "from node_core.training.train import Trainer",
            "",
            *_config(config),
            "trainer = Trainer(config)",
            "for _ in range(300):",
            "    trainer.iterate()",
            "net = trained_model(config, trainer.export())",
            "x = torch.from_numpy(dataset(config.data).x)",
            f"resnet = ResNet(net.dim, net.n_classes, config.hidden, {layers}, shared=True, augment=net.augment,",
            "                activation=config.activation, time_dependent=config.time_dependent, t1=config.t1)",
            "copy_weights(net, resnet)",
            "end = net.solve(x).ys[-1]",
            f"for layers in (1, 2, 4, 8, 16, 32, 64, {layers}):",
            "    gap = resnet.with_layers(layers).trajectory(x)[-1] - end",
            "    print(layers, gap.norm(dim=1).mean().item())",
        ]
    )


def swap_snippet(asked: SolverSwapConfig) -> str:
    """Train and judge the weights with other solvers."""
    return "\n".join(
        [
            "from node_core.data.dataset import DataConfig",
            "from node_core.studies.solver_swap import run",
            "from node_core.studies.solver_swap_config import SolverSwapConfig",
            "from node_core.training.config import TrainConfig",
            "",
            *_config(asked.train),
            f"result = run(SolverSwapConfig(config, iterations={asked.iterations}))",
            "print(result.sentence)",
            "for entry in (result.trained, result.reference, *result.entries):",
            "    print(entry.method, entry.dt, entry.accuracy, entry.nfe)",
        ]
    )


def hlambda_snippet(asked: HLambdaConfig) -> str:
    """Train, and print the largest factor by which a step multiplies a small error."""
    return "\n".join(
        [
            "import numpy as np",
            "from node_core.data.dataset import DataConfig",
            "from node_core.solvers.stability import stability_function",
            "from node_core.studies.hlambda import run",
            "from node_core.studies.hlambda_config import HLambdaConfig",
            "from node_core.training.config import TrainConfig",
            "",
            *_config(asked.train),
            f"cloud = run(HLambdaConfig(config, iterations={asked.iterations}))",
            "print(cloud.dt, cloud.largest, np.abs(stability_function(cloud.method, cloud.h_lambda)).max())",
        ]
    )


def race_snippet(asked: RegularizerRaceConfig) -> str:
    """Run the race and print what each lane ended with."""
    return "\n".join(
        [
            "from node_core.studies.regularizer_race import run",
            "from node_core.studies.regularizer_race_config import RegularizerRaceConfig",
            "",
            f"result = run(RegularizerRaceConfig(iterations={asked.iterations}))",
            "for lane in result.lanes:",
            "    print(lane.name, lane.final_loss, lane.final_accuracy, lane.final_nfe, lane.straightness)",
        ]
    )


def _config(config: TrainConfig) -> list[str]:
    """`config = TrainConfig(...)` with what differs from the defaults."""
    plain = TrainConfig()
    parts = [f"data={_data(config.data)}"]
    parts += [
        f"{entry.name}={getattr(config, entry.name)!r}"
        for entry in fields(config)
        if entry.name not in ("data", "start") and getattr(config, entry.name) != getattr(plain, entry.name)
    ]
    return ["config = TrainConfig(", *(f"    {part}," for part in parts), ")"]


def _data(data: DataConfig) -> str:
    plain = DataConfig()
    parts = [repr(data.name)]
    for entry in fields(data):
        value = getattr(data, entry.name)
        if entry.name == "name" or value == getattr(plain, entry.name):
            continue
        if entry.name in ("points", "labels") and len(value) > MAX_WRITTEN_POINTS:
            value = value[:MAX_WRITTEN_POINTS]
            parts.append(f"{entry.name}={value!r}")
        elif entry.name == "n" and data.points:
            parts.append(f"n={min(data.n, MAX_WRITTEN_POINTS)}")
        else:
            parts.append(f"{entry.name}={value!r}")
    return f"DataConfig({', '.join(parts)})"
