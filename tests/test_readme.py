"""What the README shows runs as it stands."""

import re
from pathlib import Path
from typing import Any

import torch

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_readme_s_samples_run_one_after_the_other() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) >= 3
    assert "for i in range(300):" in "".join(blocks)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block.replace("range(300)", "range(2)"), names)
    assert names["sol"].adjoint.a.shape[-1] == 2
    assert names["paths"].z.shape == (*names["paths"].ts.shape, 5, 2)
    assert names["log_p"].shape == (1000,)
    area = (8 / 64) ** 2
    assert abs(float(names["p"].sum()) * area - 1) < 0.01
    assert torch.isfinite(names["loss"])
