"""Whether the app answers, wherever it was told to: what a container's health check runs (`python -m pages.ui.health`).

It knows what the server was told in the order in which Streamlit takes it: options of its command, environment,
config.toml. Nothing is imported that is not Python's own: it runs every few seconds.
"""

from __future__ import annotations

import os
import ssl
import sys
import tomllib
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

SERVER = Path("/proc/1/cmdline")  # in a container the server is the first process
CONFIG = Path(".streamlit/config.toml")


def option(
    name: str, command: Sequence[str], environment: Mapping[str, str], settings: Mapping[str, object]
) -> str:
    """An option of `[server]`, "" where nobody set it.

    Args:
        name: as in config.toml: "port", "baseUrlPath", "sslCertFile".
        command: of the server.
        environment: of the server.
        settings: the table `[server]` of config.toml.
    """
    flag = f"--server.{name}"
    for i, word in reversed(list(enumerate(command))):  # the last one counts
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
        if word == flag and i + 1 < len(command):
            return command[i + 1]
    key = (
        "STREAMLIT_SERVER_" + "".join(f"_{letter}" if letter.isupper() else letter for letter in name).upper()
    )
    return environment.get(key) or str(settings.get(name, ""))


def address(command: Sequence[str], environment: Mapping[str, str], settings: Mapping[str, object]) -> str:
    """Where the server says that it is well."""
    port, base, encrypted = (
        option(name, command, environment, settings) for name in ("port", "baseUrlPath", "sslCertFile")
    )
    path = f"/{base.strip('/')}" if base.strip("/") else ""
    return f"{'https' if encrypted else 'http'}://127.0.0.1:{port or 8501}{path}/_stcore/health"


def main() -> int:
    """Ask; 0 if the answer is good."""
    command = SERVER.read_bytes().decode(errors="replace").split("\0") if SERVER.exists() else []
    settings = tomllib.loads(CONFIG.read_text(encoding="utf-8")).get("server", {}) if CONFIG.exists() else {}
    unverified = ssl.create_default_context()  # the certificate is for the app's name, not for 127.0.0.1
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    url = address(command, os.environ, settings)
    try:
        with urllib.request.urlopen(url, timeout=4, context=unverified) as answer:
            return 0 if answer.status == 200 else 1
    except OSError as error:
        print(f"{url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
