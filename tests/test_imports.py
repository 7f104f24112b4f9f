"""Who may know whom: the arrows of the design, and what the server process must never load."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# The top-level arrows: each may import those after it in its tuple, and itself.
MAY_IMPORT = {
    "app": ("pages", "node_core"),
    "pages": ("pages.ui", "node_core"),
    "pages.ui": ("node_core",),
    "node_core": (),
}
# Within node_core, from the ground up: a room may import its own and those of a lower floor.
FLOORS = {
    "fields": 0,
    "data": 0,
    "solvers": 1,
    "solution": 1,
    "gradients": 2,
    "arguments": 3,
    "odeint": 4,
    "cnf": 5,
    "models": 5,
    "training": 6,
    "studies": 7,
    "visualization": 8,
}
# What the server process runs; torch costs it 3 s and 330 MB. A folder stands for its modules.
SERVER_SIDE = (
    "node_core/visualization",
    "node_core/data",
    "node_core/fields/systems.py",
    "node_core/fields/formula.py",
    "node_core/solvers/tableau.py",
    "node_core/solvers/tableaus.py",
    "node_core/solvers/methods.py",
    "node_core/solvers/stability.py",
    "node_core/solution.py",
    "node_core/training/config.py",
    "node_core/training/cnf_config.py",
    "node_core/training/jobs.py",
)
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
PUBLIC_NAMES += ("CNF", "SolverChoice", "Divergence", "HypernetworkField", "PlanarFlow", "RealNVP", "TARGETS")
PUBLIC_NAMES += ("StandardNormal", "MixtureBase", "UniformDisc")


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _modules(*folders: str) -> list[Path]:
    found = [ROOT / folder for folder in folders if folder.endswith(".py")]
    for folder in folders:
        found += sorted((ROOT / folder).rglob("*.py"))
    return [path for path in found if path.is_file()]


def _project_imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield (module, line) of every import of project code in a file, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute in this project"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (
            (name, node.lineno) for name in names if name.split(".")[0] in ("app", "pages", "node_core")
        )


def _house(module: str) -> str:
    top = module.split(".")
    return "pages.ui" if top[:2] == ["pages", "ui"] else top[0]


def _room(module: str) -> str | None:
    """Name the room of node_core that a module stands in; None for node_core itself and its public names."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else None


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


def test_the_server_side_of_the_engine_loads_no_torch() -> None:
    paths = _modules(*SERVER_SIDE) + sorted((ROOT / "node_core/studies").glob("*_config.py"))
    names = [_module_name(path) for path in paths]
    assert names, "nothing was found to import"
    assert _loaded_by(f"import {', '.join(names)}", "'torch', 'streamlit'") == ""


def test_the_app_and_what_its_pages_import_load_no_torch() -> None:
    # Pages draw when they are imported; what counts here is what they import, so that is all that is run.
    files = [path for path in _modules("app.py", "pages") if path.name != "__init__.py"]
    statements = []
    for path in files:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                statements.append(ast.unparse(node))
    statements.sort(key=lambda statement: not statement.startswith("from __future__"))
    assert len(files) > 2
    assert _loaded_by("\n".join(dict.fromkeys(statements)), "'torch', 'sklearn', 'scipy.integrate'") == ""


@pytest.mark.parametrize("path", _modules("app.py", "pages", "node_core"), ids=_module_name)
def test_arrows_between_the_houses_point_one_way(path: Path) -> None:
    house = _house(_module_name(path))
    allowed = {house, *MAY_IMPORT[house]} | ({"pages.ui"} if house == "app" else set())
    for name, line in _project_imports(path):
        assert _house(name) in allowed, f"{path.relative_to(ROOT)}:{line}: {house} may not import {name}"


def test_pages_do_not_import_each_other() -> None:
    for path in _modules("pages"):
        for name, line in _project_imports(path):
            if _house(name) == "pages":
                pytest.fail(f"{path.relative_to(ROOT)}:{line}: a page imports {name}; share it in pages/ui")


@pytest.mark.parametrize("path", _modules("node_core"), ids=_module_name)
def test_arrows_within_the_engine_point_down(path: Path) -> None:
    room = _room(_module_name(path))
    if room is None:
        assert path.name == "__init__.py", f"{path.relative_to(ROOT)} stands in no room of FLOORS"
        return
    for name, line in _project_imports(path):
        other = _room(name) or "odeint"  # a public name of node_core itself counts as the front door
        where = f"{path.relative_to(ROOT)}:{line}: {room} may not import {name}"
        if room == "visualization":
            # Pictures are drawn from results: they read, and nobody in node_core reads them.
            continue
        assert other == room or FLOORS[other] < FLOORS[room] or {other, room} == {"solvers", "solution"}, (
            where
        )


def test_packages_hold_only_a_docstring() -> None:
    for path in _modules("node_core", "pages"):
        if path.name == "__init__.py" and path.parent != ROOT / "node_core":
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert all(isinstance(node, ast.Expr) for node in body), f"{path.relative_to(ROOT)} holds code"
