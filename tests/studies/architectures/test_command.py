"""The command `python -m node_core table1`: what it saves, what Ctrl-C leaves, what it refuses."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from node_core.studies.architectures import command
from node_core.studies.architectures.command import Progress, main
from node_core.studies.architectures.table import train_entry
from node_core.training.images import build
from node_core.training.trainer import DivergedError

SMALL = ["--train", "100", "--test", "40", "--epochs", "2", "--hidden", "8", "--batch", "50"]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "TIME_LIMIT", 600.0)
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)


def test_the_table_is_printed_and_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "table.csv"
    assert main([*SMALL, "--models", "mlp,rknet", "odenet", "--seeds", "2", "--save", str(target)]) == 0
    rows = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"))))
    assert [row["model"] for row in rows] == ["1-layer MLP", "RK-Net", "ODE-Net"]
    assert all(row["runs"] == "2" and 0 < float(row["test_error_percent"]) < 100 for row in rows)
    out, err = capsys.readouterr()
    assert "paper: error" in out
    assert "RK-Net" in out
    assert "100 training and 40 test images of 8 x 8 pixels" in err
    assert err.count("% wrong") == 6


def test_json_holds_every_run(tmp_path: Path) -> None:
    target = tmp_path / "table.json"
    assert main([*SMALL, "--models", "none", "--seeds", "3", "--seed", "5", "--save", str(target)]) == 0
    found = json.loads(target.read_text(encoding="utf-8"))
    assert [entry["seed"] for entry in found["entries"]] == [5, 6, 7]
    assert found["train"]["iterations"] == 4
    assert found["entries"][0]["parameters"] == 650


def test_ctrl_c_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[Any] = []

    def interrupted(config: Any, told: Any) -> Any:
        calls.append(config)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train_entry(config, told)

    monkeypatch.setattr(command, "train_entry", interrupted)
    target = tmp_path / "table.csv"
    assert main([*SMALL, "--models", "mlp", "none", "rknet", "--save", str(target)]) == 130
    rows = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"))))
    assert [row["model"] for row in rows] == ["1-layer MLP", "No block"]
    out, err = capsys.readouterr()
    assert "No block" in out
    assert "what was finished is kept" in err


def test_a_run_that_explodes_is_told_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def exploding(config: Any, told: Any) -> Any:
        if config.model == "mlp":
            raise DivergedError("The loss is not a number")
        return train_entry(config, told)

    monkeypatch.setattr(command, "train_entry", exploding)
    target = tmp_path / "table.csv"
    assert main([*SMALL, "--models", "mlp", "none", "--save", str(target)]) == 1
    assert "1-layer MLP, seed 0: The loss is not a number" in capsys.readouterr().err
    assert "No block" in target.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--models", "odent"], "did you mean 'odenet'"),
        (["--models", ","], "0 models were chosen"),
        (["--seeds", "0"], "seeds = 0"),
        (["--epochs", "0"], "epochs = 0"),
        (["--kind", "sparse"], "kind 'sparse' is unknown"),
        (["--channels", "7"], "channels = 7"),
        (["--data", "no_such_folder"], "There is no folder no_such_folder"),
        (["--save", "table.txt"], "ends with .csv or .json"),
        (["--save", "no_such_folder/table.csv"], "there is no folder no_such_folder"),
        (["--shrink", "2"], "8 x 8 pixels only"),
        (["--gradient", "magic"], "gradient 'magic' is unknown"),
        (["--threads", "-1"], "--threads = -1"),
        (["--lr", "fast"], "invalid float value: 'fast'"),
        (["--kind", "conv", "--channels", "128", "--models", "resnet"], "more than 2,000,000"),
    ],
)
def test_a_bad_argument_is_a_sentence(
    given: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(given)
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_fills_and_is_written_over() -> None:
    out = Terminal()
    times = iter((0.0, 5.0, 5.05, 20.0))
    progress = Progress(out, lambda: next(times))
    progress.begin("ODE-Net, seed 0")
    progress(1, 4)
    progress(2, 4)  # too soon to be seen
    progress(4, 4)
    progress.end("done")
    first, last = out.getvalue().split("\r")[1:3]
    assert "ODE-Net, seed 0" in first
    assert "[######..................]  25 %, 15 s left" in first
    assert f"[{'#' * 24}] 100 %, 0 s left" in last
    assert out.getvalue().endswith("\rdone\033[K\n")
    silent = io.StringIO()
    Progress(silent)(1, 4)
    assert silent.getvalue() == ""


def test_the_library_s_commands_are_named() -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "node_core", *words], cwd=ROOT, capture_output=True, text=True, check=False
        )

    helped, unknown = run(), run("tabel1")
    assert helped.returncode == 0
    assert "table1" in helped.stdout
    assert unknown.returncode == 2
    assert "There is no command 'tabel1'" in unknown.stderr
