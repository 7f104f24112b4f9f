"""What the page Architectures shows first: these answers come with the project."""

from __future__ import annotations

from typing import Any

from node_core.studies.architectures.memory_config import every_mode
from node_core.studies.architectures.table_config import MODELS, row_config
from node_core.training.images.config import ImagesConfig

QUESTIONS: dict[str, tuple[str, Any]] = {
    name: ("node_core.training.images.train:advance", row_config(name, ImagesConfig())) for name in MODELS
}
QUESTIONS["memory"] = ("node_core.studies.architectures.memory:run", every_mode())
