"""The health check finds the server wherever it was told to answer."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pages.ui import health

RUN = ["python", "-m", "streamlit", "run", "app.py"]
URL = "http://127.0.0.1:8501/_stcore/health"


@pytest.mark.parametrize(
    ("command", "environment", "settings", "url"),
    [
        (RUN, {}, {}, URL),
        (RUN, {"STREAMLIT_SERVER_PORT": "80"}, {"port": 90}, URL.replace("8501", "80")),
        (RUN, {}, {"port": 90}, URL.replace("8501", "90")),
        ([*RUN, "--server.port=70"], {"STREAMLIT_SERVER_PORT": "80"}, {}, URL.replace("8501", "70")),
        ([*RUN, "--server.port", "70", "--server.port=71"], {}, {}, URL.replace("8501", "71")),
        (RUN, {"STREAMLIT_SERVER_BASE_URL_PATH": "/lab/"}, {}, URL.replace("/_", "/lab/_")),
        ([*RUN, "--server.sslCertFile=a.pem"], {}, {}, URL.replace("http", "https")),
    ],
)
def test_the_address_is_where_the_server_was_told_to_be(
    command: list[str], environment: dict[str, str], settings: dict[str, object], url: str
) -> None:
    assert health.address(command, environment, settings) == url


def test_it_asks_a_real_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/lab/_stcore/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = tmp_path / "cmdline"
        command.write_text(
            "\0".join([*RUN, f"--server.port={server.server_port}", "--server.baseUrlPath=lab"])
        )
        monkeypatch.setattr(health, "SERVER", command)
        assert health.main() == 0
        command.write_text("\0".join([*RUN, f"--server.port={server.server_port}"]))
        assert health.main() == 1
        server.shutdown()
    assert health.main() == 1
