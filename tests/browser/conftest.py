"""A real browser on the pages: Debian's Chromium, watched for everything that a page must not do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from tests.sample_usage import make_sample_usage
from usage.models import Instance

PASSWORD = "correct horse battery"
# The first is the same engine without windows, and opens a page in a third of the time.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in _NAMES if (path := shutil.which(name))), None)

Open = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser these tests are skipped, but not in CI, where somebody would take that for success."""
    if CHROMIUM or os.environ.get("CI"):
        return
    for item in items:
        if "/browser/" in str(item.path):
            item.add_marker(pytest.mark.skip(reason=f"no browser: none of {', '.join(_NAMES)} is in PATH"))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    assert CHROMIUM, f"CI needs a browser: none of {', '.join(_NAMES)} is in PATH"
    return browser_type_launch_args | {
        "executable_path": CHROMIUM,
        "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    }


@pytest.fixture
def site(live_server: Any) -> str:
    """The address of a running site with a reader, and with usage on one server."""
    get_user_model().objects.create_superuser("admin", password=PASSWORD)
    return str(live_server.url)


@pytest.fixture
def sample(site: str) -> Instance:
    instance = Instance(name="Test CPA", base_url="http://127.0.0.1:9", encrypted_key="x")
    instance.save()
    make_sample_usage(instance, timezone.now())
    instance.enter(Instance.State.OK, synced_at=timezone.now())
    return instance


@pytest.fixture
def open_page(site: str, browser: Browser) -> Iterator[Open]:
    """Open an address as `admin` (or as nobody), at a width, in a theme and language, with or without JavaScript.

    When the test ends, each page must have kept to our host and to its CSP, without an error in its console.
    """
    faults: list[str] = []
    contexts = []

    def open_page(
        address: str,
        *,
        width: int = 1440,
        theme: str = "light",
        language: str = "en",
        javascript: bool = True,
        signed_in: bool = True,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            is_mobile=width < 500,
            has_touch=width < 500,
            java_script_enabled=javascript,
            locale="en-US",
        )
        contexts.append(context)
        cookies = {"theme": theme, "django_language": language} | (_session() if signed_in else {})
        context.add_cookies([{"name": name, "value": value, "url": site} for name, value in cookies.items()])
        page = context.new_page()
        _watch(page, site, faults)
        page.goto(site + address)
        if javascript:
            page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def _session() -> dict[str, str]:
    client = Client()
    client.force_login(get_user_model().objects.get(username="admin"))
    return {"sessionid": client.cookies["sessionid"].value}


def _watch(page: Page, site: str, faults: list[str]) -> None:
    host = urlsplit(site).netloc
    page.on("console", lambda message: _is_fault(message, page) and faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: _was_abandoned(request) or faults.append(f"failed: {request.url}"))
    page.on("request", lambda request: urlsplit(request.url).netloc != host and faults.append(request.url))
    page.on("response", lambda answer: answer.status >= 500 and faults.append(f"{answer.status}: {answer.url}"))


def _is_fault(message: ConsoleMessage, page: Page) -> bool:
    """A page itself may answer that there is none, or that it waits."""
    return message.type in ("error", "warning") and message.location.get("url") != page.url


def _was_abandoned(request: Request) -> bool:
    """Whether the browser gave it up because the page was left."""
    return request.failure == "net::ERR_ABORTED"
