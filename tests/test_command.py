"""The command that starts the dashboard: what it makes of names, ports and variables; make and Docker use it."""

import sys
from pathlib import Path

import pytest

from neural_ode_lab.__main__ import command, home

ROOT = Path(__file__).resolve().parents[1]
RUN = [sys.executable, "-m", "streamlit", "run", "app.py"]
LOCAL = [f"--server.allowedHosts={name}" for name in ("localhost", "127.0.0.1", "::1")]
HERE = ["--server.address=localhost"]


@pytest.mark.parametrize(
    ("arguments", "environment", "options"),
    [
        ([], {}, HERE),
        (["--port", "80"], {"PORT": "90"}, ["--server.port=80", *HERE]),
        ([], {"PORT": "90"}, ["--server.port=90", *HERE]),
        ([], {"STREAMLIT_SERVER_ADDRESS": "0.0.0.0"}, []),
        (
            ["--host", "a.example, b.example"],
            {"HOST": "c.example", "STREAMLIT_SERVER_ADDRESS": "0.0.0.0"},
            [
                *LOCAL,
                "--server.allowedHosts=a.example",
                "--server.allowedHosts=b.example",
                "--browser.serverAddress=a.example",
            ],
        ),
        (
            [],
            {"HOST": "2001:db8::1"},
            [*LOCAL, "--server.allowedHosts=2001:db8::1", "--browser.serverAddress=[2001:db8::1]"],
        ),
        (
            ["--server.baseUrlPath", "lab", "--server.headless=true"],
            {},
            [*HERE, "--server.baseUrlPath", "lab", "--server.headless=true"],
        ),
    ],
)
def test_names_and_ports_become_options_of_streamlit(
    arguments: list[str], environment: dict[str, str], options: list[str]
) -> None:
    assert command(arguments, environment) == [*RUN, *options]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "0"], "choose a number from 1 to 65535"),
        (["--port", "http"], "choose a number from 1 to 65535"),
        (["lab.example"], "'lab.example' is no option: --host NAME lets a class in"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command(arguments, {})
    assert sentence in capsys.readouterr().err


def test_in_a_checkout_the_app_lies_above_the_command_and_make_and_docker_start_it_so() -> None:
    assert home() == ROOT
    assert "-m neural_ode_lab --port='$(PORT)' --host='$(HOST)'" in (ROOT / "Makefile").read_text()
    assert 'ENTRYPOINT ["python", "-m", "neural_ode_lab"]' in (ROOT / "Dockerfile").read_text()
