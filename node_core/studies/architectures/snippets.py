"""The code behind the pictures of the lesson Architectures, as text that runs as it stands."""

from __future__ import annotations

from node_core.studies.architectures.memory_config import MemoryConfig
from node_core.studies.architectures.questions_config import HardestConfig, LayersConfig, SwapConfig
from node_core.studies.architectures.table_config import TableConfig
from node_core.studies.snippets import assign, script
from node_core.training.images.config import ImagesConfig

_TRAINED = {"weights": 'b""'}  # a notebook trains the net itself


def train_snippet(config: ImagesConfig) -> str:
    """Train one net and print a line every epoch or so.

    Raises:
        ValueError: the images were uploaded, and are in no notebook.
    """
    _check(config)
    return script(
        ["from node_core.training.images.train import train"],
        assign("config", config),
        "for snapshot in train(config, every=20):",
        '    print(snapshot.scalars["message"])',
    )


def table_snippet(config: TableConfig) -> str:
    """Train the whole table and print it beside the paper's.

    Raises:
        ValueError: the images were uploaded.
    """
    _check(config.train)
    return script(
        [
            "from node_core.studies.architectures.table import run",
            "from node_core.studies.architectures.table_config import as_text",
        ],
        assign("asked", config),
        "result = run(asked)",
        "print(as_text(result.rows))",
        "print(result.note)",
    )


def hardest_snippet(asked: HardestConfig) -> str:
    """Train, and print what the images cost.

    Raises:
        ValueError: the images were uploaded.
    """
    _check(asked.net.train)
    return script(
        ["from node_core.studies.architectures.hardest import run"],
        assign("asked", asked, _TRAINED),
        "result = run(asked)",
        "print(result.sentence)",
        "print(result.nfe, result.labels)",
    )


def swap_snippet(asked: SwapConfig) -> str:
    """Train, and print the table of solvers.

    Raises:
        ValueError: the images were uploaded.
    """
    _check(asked.net.train)
    return script(
        ["from node_core.studies.architectures.swap import run"],
        assign("asked", asked, _TRAINED),
        "for entry in run(asked).entries:",
        "    print(entry)",
    )


def layers_snippet(asked: LayersConfig) -> str:
    """Train, and print the errors without each layer and with each twice.

    Raises:
        ValueError: the images were uploaded.
    """
    _check(asked.net.train)
    return script(
        ["from node_core.studies.architectures.layers import run"],
        assign("asked", asked, _TRAINED),
        "print(run(asked))",
    )


def memory_snippet(asked: MemoryConfig) -> str:
    """Measure a series of training steps.

    Raises:
        ValueError: the images were uploaded.
    """
    for train in asked.trains:
        _check(train)
    lines = [assign(f"train_{k}", train) for k, train in enumerate(asked.trains)]
    names = "".join(f"train_{k}, " for k in range(len(lines)))
    return script(
        [
            "from node_core.studies.architectures.memory import run",
            "from node_core.studies.architectures.memory_config import MemoryConfig",
        ],
        *lines,
        f"result = run(MemoryConfig(({names.rstrip()})))",
        "print(result.mib, result.seconds, result.nfe)",
    )


def _check(config: ImagesConfig) -> None:
    if config.data.files:
        raise ValueError(
            "The images were uploaded: put their files into a folder and take ImageData('folder', folder=...)."
        )
