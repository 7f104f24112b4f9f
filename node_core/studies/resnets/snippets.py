"""The code behind the pictures of the lesson from ResNets to ODEs, as text that runs as it stands."""

from __future__ import annotations

from node_core.studies.snippets import assign, script
from node_core.training.classifier.config import TrainConfig


def limit_snippet(config: TrainConfig, layers: int) -> str:
    """Train an ODE-Net, give its weights to a ResNet of L layers, and measure how far the two end apart."""
    return script(
        [
            "from dataclasses import replace",
            "import torch",
            "from node_core.training.classifier.build import dataset, trained_model",
            "from node_core.training.classifier.train import Trainer",
        ],
        assign("config", config),
        "trainer = Trainer(config)",
        "for _ in range(300):",
        "    trainer.iterate()",
        "state = trainer.export()",
        "net = trained_model(config, state)",
        f'resnet = trained_model(replace(config, model="resnet", shared=True, layers={layers}), state)',
        "x = torch.from_numpy(dataset(config.data).x)",
        "end = net.solve(x).ys[-1]",
        f"for layers in (1, 2, 4, 8, 16, 32, 64, {layers}):",
        "    gap = resnet.with_layers(layers).trajectory(x)[-1] - end",
        "    print(layers, gap.norm(dim=1).mean().item())",
    )
