"""Start the dashboard, from a checkout, an installed package or a container: under which names, and at which port.

It becomes `streamlit run app.py` in the folder where the app lies, so that Streamlit's settings are found; any
further option of Streamlit goes there as it is.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_HERE = Path(__file__).resolve().parent


def home() -> Path:
    """The folder of `app.py`: in an installed package beside this file, in a checkout above it."""
    return next(folder for folder in (_HERE, _HERE.parent) if (folder / "app.py").exists())


def command(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The server's command line.

    Args:
        arguments: of `neural-ode-lab`: `--host`, `--port`, and any option of Streamlit.
        environment: HOST and PORT stand for the options of that name where these are not given.

    Raises:
        SystemExit: an argument that makes no sense; it was said which.
    """
    parser = argparse.ArgumentParser(
        prog="neural-ode-lab",
        description="The Neural ODE lab in a browser. Streamlit's own options (--server.baseUrlPath=lab) go on to it.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--host",
        default=environment.get("HOST", ""),
        help="name or address under which others open it; several with commas (also: the variable HOST). "
        "Without one it answers on this machine only.",
    )
    parser.add_argument(
        "--port", default=environment.get("PORT", ""), help="8501 if not given (also: the variable PORT)"
    )
    asked, further = parser.parse_known_args(arguments)
    if asked.port and not (asked.port.isdecimal() and 0 < int(asked.port) < 65536):
        parser.error(f"port {asked.port!r}: choose a number from 1 to 65535.")
    strange = [word for word in further if not word.startswith("--") and word not in _values(further)]
    if strange:
        parser.error(f"{strange[0]!r} is no option: --host NAME lets a class in, --port N is another port.")
    return [
        *(sys.executable, "-m", "streamlit", "run", "app.py"),
        *([f"--server.port={asked.port}"] if asked.port else []),
        *_names(asked.host, environment),
        *further,
    ]


def _values(words: Sequence[str]) -> set[str]:
    """What stands behind an option that was written without "="."""
    return {word for option, word in pairwise(words) if option.startswith("--") and "=" not in option}


def _names(host: str, environment: Mapping[str, str]) -> list[str]:
    """Options that say where the server listens and which names a browser may use."""
    names = [name for name in host.replace(",", " ").split() if name]
    if not names:
        # What Streamlit's own variable says stands: in a container, for one, every interface.
        return [] if "STREAMLIT_SERVER_ADDRESS" in environment else ["--server.address=localhost"]
    first = names[0]
    shown = f"[{first.strip('[]')}]" if first.count(":") > 1 else first
    allowed = [f"--server.allowedHosts={name}" for name in (*THIS_MACHINE, *names)]
    return [*allowed, f"--browser.serverAddress={shown}"]


def main() -> int:
    """Start the server in place of this process, so that signals and exit status are the server's own."""
    words = command(sys.argv[1:], os.environ)
    os.chdir(home())
    if os.name == "nt":  # where a process can't be replaced
        return subprocess.call(words)
    os.execv(words[0], words)


if __name__ == "__main__":
    sys.exit(main())
