"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the project."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = {
    title: body.strip()
    for title, body in re.findall(r"^### A new (.+?)\n(.*?)(?=^##|\Z)", TEXT, flags=re.MULTILINE | re.DOTALL)
}
MOST_LINES = 15


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project in a folder of its own."""
    for name in ("node_core", "pages", "assets", "tests", ".streamlit"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", tmp_path)
    return tmp_path


def follow(recipe: str, copy: Path) -> None:
    """Put every block of a recipe where its first line says."""
    code = "".join(re.findall(r"```python\n(.*?)```", RECIPES[recipe], flags=re.DOTALL))
    parts = re.split(r"^# (\S+\.py), (new|before .+|after .+)\n", code, flags=re.MULTILINE)[1:]
    assert parts, f"the recipe for a new {recipe} shows no file"
    for name, where, block in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        path = copy / name
        if where == "new":
            assert not path.exists(), f"{name} exists already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block, encoding="utf-8")
            continue
        side, _, anchor = where.partition(" ")
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        found = [i for i, line in enumerate(lines) if line.strip().startswith(anchor)]
        assert found, f"{name} has no line that begins with {anchor!r}"
        lines.insert(found[0] + (side == "after"), block)
        path.write_text("".join(lines), encoding="utf-8")


def run(copy: Path, code: str) -> None:
    """Run code in the copy; it fails by an exception."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_every_recipe_is_short() -> None:
    assert set(RECIPES) >= {"solver", "system", "data set", "figure", "lesson", "live trainer"}
    for title, body in RECIPES.items():
        lines = [line for line in body.splitlines() if line.strip() and not line.startswith("```")]
        assert len(lines) <= MOST_LINES, f"the recipe for a new {title} has {len(lines)} lines"


def test_a_new_solver_is_known_to_odeint_and_offered_by_the_page(copy: Path) -> None:
    follow("solver", copy)
    run(
        copy,
        """
import math
import torch
from node_core import odeint
from tests.pages.harness import open_page

def error(dt):
    sol = odeint(lambda t, y: -y, torch.ones(1, dtype=torch.float64), [0.0, 1.0], method="ssprk3", dt=dt)
    return abs(float(sol.ys[-1, 0]) - math.exp(-1))

assert abs(math.log2(error(0.1) / error(0.05)) - 3) < 0.2
at = open_page("solvers", methods="SSP Runge-Kutta 3")
assert not at.exception and not at.error, (at.exception, at.error)
assert "SSP Runge-Kutta 3" in at.multiselect(key="methods").options
assert "SSP Runge-Kutta 3" in str(at.table[0].value)
""",
    )


def test_a_new_system_is_in_the_registry_and_offered_by_the_page(copy: Path) -> None:
    follow("system", copy)
    run(
        copy,
        """
import torch
from node_core import SYSTEMS, odeint
from tests.pages.harness import open_page

f = SYSTEMS["logistic"].field(r=2.0)
sol = odeint(f, torch.tensor([0.1], dtype=torch.float64), [0.0, 8.0])
assert abs(float(sol.ys[-1, 0]) - 1.0) < 1e-4
at = open_page("solvers", system="Logistic growth")
assert not at.exception and not at.error, (at.exception, at.error)
assert at.selectbox(key="system").value == "logistic"
assert len(at.get("plotly_chart")) + len(at.get("bidi_component")) > 0
""",
    )


def test_a_new_lesson_is_in_the_navigation_and_computes(copy: Path) -> None:
    follow("lesson", copy)
    run(
        copy,
        """
from streamlit.testing.v1 import AppTest
from tests.pages.harness import open_page

home = AppTest.from_file("app.py", default_timeout=90).run()
assert not home.exception, home.exception
assert any("Find out how fast it doubles." in found.value for found in home.markdown)
at = open_page("growth", rate="2.0")
assert not at.exception and not at.error, (at.exception, at.error)
assert at.metric[0].value.startswith("0.3465")
""",
    )
