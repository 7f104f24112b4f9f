"""The house: who may know whom, and what the server process must never load (CONTRIBUTING.md has the map)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.import_graph import Arrow, Graph, Ways, draw, told

ROOT = Path(__file__).resolve().parents[1]

# From the ground up: a room may know its own modules and those of a lower floor, and nothing else.
FLOORS = (
    ("node_core", "node_core.assets", "node_core.checks", "node_core.foreign", "node_core.solution"),
    ("node_core.fields", "node_core.data", "node_core.runs"),
    ("node_core.solvers",),
    ("node_core.gradients",),
    ("node_core.arguments",),
    ("node_core.time_type", "node_core.tangents"),
    ("node_core.plan",),
    ("node_core.odeint",),
    ("node_core.settings",),
    ("node_core.cnf", "node_core.models"),
    ("node_core.training",),
    ("node_core.studies",),
    ("node_core.__main__",),
    ("node_core.visualization",),
    ("pages.ui",),
    ("pages.ui.live",),
    ("pages.ui.<lesson>",),
    ("pages.<page>",),
    ("app",),
)
# The floors on which a lesson has a room, and the folders there that are no lesson's.
LESSON_FLOORS = ("node_core.studies", "node_core.visualization", "pages.ui")
SHARED = ("live", "classifier", "gradients")
# Loaded by the server process beside its pages; torch costs it 3 s and 330 MB.
ALSO_SERVED = ("node_core.visualization", "node_core.data")
PUBLIC_NAMES: tuple[str, ...] = (
    "odeint",
    "Solution",
    "SolveError",
    "Status",
    "StepLog",
    "SolveStats",
    "MLPField",
    "SYSTEMS",
)
PUBLIC_NAMES += (
    "CNF",
    "SolverSettings",
    "SolverChoice",
    "Divergence",
    "HypernetworkField",
    "PlanarFlow",
    "RealNVP",
    "TARGETS",
)
PUBLIC_NAMES += ("StandardNormal", "MixtureBase", "UniformDisc")
PUBLIC_NAMES += ("flow_matching_loss", "reflow_pairs", "transport_pairs")

HOUSE = draw(ROOT, "app.py", "pages", "node_core")
PACKAGES = {name for name, path in HOUSE.modules.items() if path.name == "__init__.py"}


def _folder_below(name: str, floor: str) -> str | None:
    """The folder of a floor that a module stands in: "cnf" for node_core.studies.cnf.audit; None for none."""
    if not name.startswith(f"{floor}."):
        return None
    room = name.removeprefix(f"{floor}.").split(".")[0]
    return room if f"{floor}.{room}" in PACKAGES else None


def _lesson(name: str) -> str | None:
    """The lesson whose room or page a module is."""
    rooms = {_folder_below(name, floor) for floor in LESSON_FLOORS} | {name.removeprefix("pages.")}
    return next(iter(rooms & LESSONS), None)


def _room(name: str) -> str:
    """The room of FLOORS that a module stands in; every page and every lesson's folder is one of its own."""
    parts = name.split(".")
    folder = _folder_below(name, "pages.ui")
    return f"pages.ui.{folder}" if folder else ".".join(parts[:2])


def _floor(name: str) -> int | None:
    """How high a module stands; None where its room has no floor."""
    room = _room(name)
    if _lesson(room) is not None:
        room = "pages.ui.<lesson>" if room.startswith("pages.ui.") else "pages.<page>"
    elif room.startswith("pages.") and not room.startswith("pages.ui"):
        room = "pages.<page>"
    return next((k for k, floor in enumerate(FLOORS) if room in floor), None)


def _points_down(arrow: Arrow) -> bool:
    """Whether an arrow stays in its room or goes to a lower floor."""
    here, there = _floor(arrow.source), _floor(arrow.target)
    return _room(arrow.source) == _room(arrow.target) or (
        here is not None and there is not None and there < here
    )


def _way_to(package: str, graph: Graph, name: str) -> list[Arrow] | None:
    """The imports by which a module comes to load another package, when it is imported or later."""
    last = [
        arrow for arrow in graph.foreign if arrow.target.split(".")[0] == package and arrow.how == "imports"
    ]
    return Ways((*graph.loads(), *last)).shortest(name, {arrow.target for arrow in last})


LESSONS = frozenset(
    room
    for name in HOUSE.modules
    for floor in LESSON_FLOORS
    if name.startswith(f"{floor}.") and (room := _folder_below(name, floor)) not in (None, *SHARED)
)
SERVED = sorted(
    name
    for name in HOUSE.modules
    if name.split(".")[0] in ("app", "pages")
    or name.startswith(ALSO_SERVED)
    or name.endswith(("config", ".snippets"))
)


def test_the_lessons_are_found() -> None:
    assert {"solvers", "adjoint", "odenet", "resnets", "cnf", "architectures"} <= LESSONS


def test_every_module_stands_on_a_floor() -> None:
    lost = [name for name in HOUSE.modules if name not in PACKAGES and _floor(name) is None]
    assert not lost, f"{', '.join(lost)}: give their room a floor in FLOORS of tests/test_imports.py"


def test_no_modules_import_each_other_in_a_circle() -> None:
    for circle in Ways(HOUSE.imports()).circles():
        pytest.fail(f"a circle: put what both need on a floor below\n{told(circle)}", pytrace=False)


def test_arrows_point_down() -> None:
    faults = [
        arrow
        for arrow in HOUSE.imports()
        if arrow.source != "node_core"  # its public names, loaded on first use
        and not _points_down(arrow)
    ]
    assert not faults, f"these climb; move what is needed down, or the one who needs it up\n{told(faults)}"


def test_a_lessons_room_is_its_own() -> None:
    faults = [
        arrow
        for arrow in HOUSE.arrows
        if arrow.source != "node_core.__main__"  # names the commands that lessons have
        and _lesson(arrow.target) not in (None, _lesson(arrow.source))
    ]
    assert not faults, (
        "these reach into a lesson's room; what two lessons need belongs where both may see it, beside the rooms or "
        f"below them\n{told(faults)}"
    )


def test_trainers_do_not_know_each_other() -> None:
    faults = [
        arrow
        for arrow in HOUSE.imports()
        if (there := _folder_below(arrow.target, "node_core.training")) is not None
        and (here := _folder_below(arrow.source, "node_core.training")) is not None
        and here != there
    ]
    assert not faults, f"what two trainers need belongs in node_core/training itself\n{told(faults)}"


def test_trainers_have_the_same_files_and_do_not_know_each_other() -> None:
    floor = "node_core.training"
    rooms: dict[str, set[str]] = {}
    for name in HOUSE.modules:
        if (trainer := _folder_below(name, floor)) and name not in PACKAGES:
            rooms.setdefault(trainer, set()).add(name.split(".")[3])
    assert {"classifier", "flow"} <= set(rooms)
    for trainer, files in rooms.items():
        missing = {"config", "build", "train", "picture", "checkpoint", "make_checkpoints"} - files
        assert not missing, f"training/{trainer} lacks {', '.join(sorted(missing))}"
    faults = [
        arrow
        for arrow in HOUSE.arrows
        if (trainer := _folder_below(arrow.target, floor))
        and _folder_below(arrow.source, floor) not in (trainer, None)
    ]
    assert not faults, f"what two trainers need belongs one floor up, in node_core/training\n{told(faults)}"


def test_every_task_that_is_named_is_there() -> None:
    tasks = [arrow for arrow in (*HOUSE.arrows, *HOUSE.foreign) if arrow.how == "names"]
    assert len(tasks) > 10
    for task in tasks:
        assert task.target in HOUSE.modules, f"{task}, which is no module"
        tree = ast.parse(HOUSE.modules[task.target].read_text(encoding="utf-8"))
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert task.function in functions, f"{task}:{task.function}, but that module has no such function"


def test_the_server_loads_no_torch() -> None:
    ways: dict[Arrow, list[Arrow]] = {}
    for name in SERVED:
        way = _way_to("torch", HOUSE, name)
        if way is not None:  # the shortest to each module that imports torch tells it all
            ways[way[-1]] = min(way, ways.get(way[-1], way), key=len)
    text = "\n\n".join(map(told, ways.values()))
    assert not ways, f"the server process would load torch (3 s, 330 MB) on this way\n{text}"


def test_what_the_server_loads_brings_no_torch_of_its_own() -> None:
    # Other people's packages can bring it too. Pages draw when they are imported: what counts is what they import.
    paths = [HOUSE.modules[name] for name in SERVED]
    statements = {
        ast.unparse(node)
        for path in paths
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    ordered = sorted(
        statements, key=lambda statement: (not statement.startswith("from __future__"), statement)
    )
    assert _loaded_by("\n".join(ordered), "'torch', 'sklearn', 'scipy.integrate'") == ""


def _run(code: str) -> str:
    """Run code in a fresh process at the root of the project and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _loaded_by(statements: str, suspects: str) -> str:
    return _run(f"{statements}\nimport sys\nprint(*sorted({{{suspects}}} & set(sys.modules)))")


def test_importing_node_core_loads_neither_streamlit_nor_plotly_nor_torch() -> None:
    assert _loaded_by("import node_core", "'streamlit', 'plotly', 'torch', 'numpy'") == ""


def test_using_the_engine_loads_neither_streamlit_nor_plotly() -> None:
    assert (
        _loaded_by("from node_core import odeint, MLPField, SYSTEMS, CNF, TARGETS", "'streamlit', 'plotly'")
        == ""
    )


@pytest.mark.parametrize("first", ["import node_core.odeint", "pass"])
def test_odeint_is_the_function_whatever_was_imported_first(first: str) -> None:
    code = f"{first}\nfrom node_core import odeint\nfrom node_core.odeint import odeint as same\n"
    assert _run(f"{code}print(callable(odeint), odeint is same)") == "True True"


def test_every_public_name_is_there() -> None:
    code = f"import node_core\nfor name in {PUBLIC_NAMES}: print(name, getattr(node_core, name) is not None)"
    assert _run(code).splitlines() == [f"{name} True" for name in PUBLIC_NAMES]
    assert set(_run("import node_core; print(*dir(node_core))").split()) >= set(PUBLIC_NAMES)


def test_all_public_names_are_listed_once_and_for_type_checkers_too() -> None:
    import node_core

    assert sorted(node_core.__all__) == sorted(set(PUBLIC_NAMES))
    text = (ROOT / "node_core/__init__.py").read_text(encoding="utf-8")
    assert all(f"import {name} as {name}" in text for name in PUBLIC_NAMES)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    import node_core

    with pytest.raises(AttributeError, match="no attribute 'odeimt'"):
        _ = node_core.odeimt


def test_packages_hold_only_a_docstring() -> None:
    for name in PACKAGES - {"node_core"}:
        body = ast.parse(HOUSE.modules[name].read_text(encoding="utf-8")).body
        assert all(isinstance(node, ast.Expr) for node in body), f"{name}/__init__.py holds code"


def test_the_graph_sees_imports_wherever_they_hide(tmp_path: Path) -> None:
    package = tmp_path / "house"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "below.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.above import Above\n"
    )
    (package / "above.py").write_text("from house import below\n")
    (package / "late.py").write_text('def later():\n    import torch\n    return "house.above:run"\n')
    graph = draw(tmp_path, "house")
    assert {str(arrow) for arrow in graph.arrows} == {
        "house.below:3 imports for its types house.above",
        "house.above:1 imports house.below",
        "house.late:3 names the task house.above",
    }
    (circle,) = Ways(graph.imports()).circles()
    assert {arrow.source for arrow in circle} == {"house.above", "house.below"}
    assert Ways(graph.loads()).circles() == []
    assert _way_to("torch", graph, "house.late") == [Arrow("house.late", "torch", 2)]
    assert _way_to("torch", graph, "house.above") is None
