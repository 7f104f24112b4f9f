"""What the picture of measured memory shows: a line a way back, and the paper's orders beside."""

import numpy as np

from node_core.studies.architectures.memory_config import (
    MemoryConfig,
    MemoryResult,
    depth_trains,
    every_mode,
    nfe_trains,
)
from node_core.training.images.config import ImagesConfig
from node_core.visualization.architectures.memory import (
    LABELS,
    memory_figure,
    memory_info,
    memory_sentence,
    series_by_mode,
)

PLAIN = ImagesConfig()


def measured() -> MemoryResult:
    trains = (
        *depth_trains(PLAIN, (1, 8)),
        *nfe_trains(PLAIN, "backprop", (1, 16)),
        *nfe_trains(PLAIN, "adjoint", (1, 16)),
    )
    mib, nfe = np.array([1.0, 8.0, 10.0, 90.0, 9.0, 12.0]), np.array([1.0, 8.0, 8.0, 128.0, 8.0, 128.0])
    return MemoryResult(MemoryConfig(trains), mib, mib / 100, nfe)


def test_a_series_has_its_layers_or_its_evaluations_forward() -> None:
    found = series_by_mode(measured(), "mib")
    assert list(found) == ["resnet", "backprop", "adjoint"]
    assert [row.tolist() for row in found["resnet"]] == [[1, 8], [1, 8], [1, 8]]
    assert [row.tolist() for row in found["backprop"]] == [[4, 64], [10, 90], [8, 128]]


def test_the_orders_of_the_paper_end_where_the_measured_lines_do() -> None:
    info = memory_info(measured(), "mib")
    grows, stays = info.guides
    assert grows.y == (90 * 4 / 64, 90.0) and stays.y == (12.0, 12.0)
    assert [guide.label for guide in memory_info(measured(), "seconds").guides] == ["O(L), O(L̃)"]
    assert len(memory_figure(info).data) == 5


def test_the_sentence_tells_both_ends() -> None:
    said = memory_sentence(measured())
    assert said == "From 4 to 64 evaluations forward: backprop 10 to 90 MiB, adjoint 9 to 12 MiB."
    assert memory_sentence(MemoryResult(MemoryConfig((PLAIN,)), *np.ones((3, 1)))).endswith(
        "backprop 1 to 1 MiB."
    )


def test_every_mode_has_a_name() -> None:
    asked = every_mode()
    shown = series_by_mode(MemoryResult(asked, *np.ones((3, len(asked.trains)))), "mib")
    assert set(shown) == set(LABELS)
