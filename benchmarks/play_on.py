"""What playing on does to the pre-trained nets of the ODE-Net page, at the full learning rate and at the page's share.

python -m benchmarks.play_on            # prints a table, writes benchmarks/results/play_on.json
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from node_core.training.classifier.checkpoint import FOLDER, pretrained
from node_core.training.classifier.train import Trainer
from node_core.training.trainer import TRAINED_SHARE, DivergedError

ITERATIONS = 300


def play(name: str, share: float) -> dict[str, Any]:
    """Loss and accuracy on all points before and after, and the worst loss of a batch between."""
    config = replace(pretrained(name).config, start=name)
    trainer = Trainer(replace(config, lr=config.lr * share / TRAINED_SHARE))
    before, worst = trainer.draw(dear=False), 0.0
    try:
        for _ in range(ITERATIONS):
            worst = max(worst, trainer.iterate()["loss"])
    except DivergedError as error:
        return {"failed": str(error)}
    after = trainer.draw(dear=False)
    return {
        "loss": [before.loss, after.loss],
        "accuracy": [before.row["train_accuracy"], after.row["train_accuracy"]],
        "worst": worst,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parent / "results" / "play_on.json"
    parser.add_argument("--out", type=Path, default=default)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {"torch": torch.__version__, "iterations": ITERATIONS, "nets": {}}
    print(f"{'net':22}{'share':>7}{'loss before':>13}{'after':>10}{'worst':>10}{'accuracy':>18}")
    for path in sorted(FOLDER.glob("*.safetensors")):
        for share in (1.0, TRAINED_SHARE):
            found = play(path.stem, share)
            results["nets"].setdefault(path.stem, {})[str(share)] = found
            if "failed" in found:
                print(f"{path.stem:22}{share:7g}  {found['failed']}")
                continue
            (before, after), (was, is_) = found["loss"], found["accuracy"]
            print(
                f"{path.stem:22}{share:7g}{before:13.3g}{after:10.3g}{found['worst']:10.3g}{was:10.1%}{is_:8.1%}"
            )
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
