"""`manage.py serve`, as a newcomer meets it: one command, a one-time link, pages, collection, a clean end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import KEY
from tests.migrated import make_file
from tests.traffic import fake_cpa, send_traffic

_DATABASE = "db.sqlite3"
ADMINISTRATOR = {"username": "operator", "password1": "a-FAKE-password-42", "password2": "a-FAKE-password-42"}


def test_from_nothing_to_figures_in_one_command(tmp_path: Path) -> None:
    with fake_cpa() as cpa, _serving(tmp_path) as (base_url, link), _browser(base_url) as browser:
        assert browser.get("/").url.path == "/login/"
        _submit(browser, link, ADMINISTRATOR)
        requests = sum(row[0] for row in send_traffic(cpa).values())
        server = {"name": "My CPA", "base_url": cpa.base_url, "management_key": KEY, "verify_tls": "on"}
        page = _submit(browser, "/setup/server/", server)
        assert "from its usage queue" in page
        assert httpx.get(f"{base_url}{link}").headers["Location"] == "/login/"
        _eventually(lambda: _requests_shown(browser) == requests)
        cpa.emit(cpa.credentials.files[0], "claude-sonnet-4-6")
        _eventually(lambda: _requests_shown(browser) == requests + 1)
        assert "dave@example.com" in browser.get("/channels/?open=codex").text
        style = re.search(r'href="(/static/[^"]+app\.[0-9a-f]+\.css)"', browser.get("/channels/").text)
        assert style
        assert "immutable" in browser.get(style[1]).headers["Cache-Control"]


def test_the_environment_alone_sets_a_server_up(tmp_path: Path) -> None:
    with fake_cpa() as cpa:
        send_traffic(cpa)
        make_file(tmp_path / _DATABASE)
        with _serving(tmp_path, CPA_BASE_URL=cpa.base_url, CPA_MANAGEMENT_KEY=KEY):
            _eventually(lambda: not len(cpa.queue) and len(cpa.handed_out) == 9)


def test_pages_end_with_the_command_even_when_it_is_killed(tmp_path: Path) -> None:
    make_file(tmp_path / _DATABASE)
    with pytest.raises(_Killed), _serving(tmp_path) as (base_url, _link):
        raise _Killed
    _eventually(lambda: not _answers(f"{base_url}/login/"))


class _Killed(Exception):
    """Leaves `_serving` so that it kills the command."""


@contextmanager
def _serving(folder: Path, **variables: str) -> Iterator[tuple[str, str]]:
    """Run the command on a free port; yield its address and the path of the one-time link."""
    bind = f"127.0.0.1:{_free_port()}"
    environment = os.environ | {
        "DATA_DIR": str(folder), "DATABASE_URL": f"sqlite:///{folder}/{_DATABASE}", "POLL_SECONDS": "0.2", **variables,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--bind", bind, "--workers", "1"],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        try:
            yield f"http://{bind}", _read_link(process, bind)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"http://{bind}/")
        finally:
            process.kill()


def _browser(base_url: str) -> httpx.Client:
    return httpx.Client(base_url=base_url, follow_redirects=True, timeout=30)


def _read_link(process: subprocess.Popen[str], bind: str) -> str:
    assert process.stdout
    for line in process.stdout:
        if found := re.search(rf"http://{re.escape(bind)}(/setup/\S+)", line):
            _eventually(lambda: _answers(f"http://{bind}/login/"))
            return found[1]
    raise AssertionError("the command ended without printing its link")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def _submit(browser: httpx.Client, path: str, form: dict[str, Any]) -> str:
    browser.get(path)
    token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    answer = browser.post(path, data=form | token)
    assert answer.status_code == 200
    return answer.text


def _requests_shown(browser: httpx.Client) -> int:
    total: int = browser.get("/api/channels/?range=all").json()["total"]["requests"]
    return total


def _eventually(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
