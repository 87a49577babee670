"""Each view of the demo as it leaves the server: in Chinese, without secrets, and not too heavy."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from tests.test_catalogue import chinese, leftovers  # noqa: F401
from usage.demo.seeding import seed
from usage.demo.views import NOBODY, views
from usage.models import (
    Account,
    ApiKey,
    Channel,
    ClientTraits,
    CollectorProcess,
    Instance,
    ModelName,
    ModelPrice,
    RequestTraits,
    Source,
)

pytestmark = pytest.mark.django_db
_MOST_BYTES = 120 * 1024
_OTHERS = (
    "admin",
    "Demo CPA",
    "genai-prices",
    "models.dev",
    "LiteLLM",
    "127.0.0.1:8317",
    "priority",
    "America/St_Johns",
    "opus",
    "refused",
    "JavaScript",
    "TIME_ZONE",
    "RECORDS_KEPT_DAYS",
    "LEGACY_POLL_SECONDS",
    "POLL_SECONDS",
    ".env",
    "CNY",
    "USD",
    "Asia/Shanghai",
    "https://models.dev/api.json",
    "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json",
)


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("admin"))
    return client


def test_every_view(admin: Client, chinese: None) -> None:  # noqa: F811
    seed(seed=7, days=35, records=1_500, now=timezone.now())
    known, found = set(_words_of_the_data()), list[str]()
    for name, address in (views() | NOBODY).items():
        answer = (Client() if name in NOBODY else admin).get(address, headers={"Accept-Language": "zh-hans"})
        html = answer.content.decode()
        assert answer.status_code == 200, name
        found += [f"{name}: a key"] if "FAKE" in html else []
        found += [f"{name}: {text}" for text in leftovers(html, known)]
        found += [f"{name}: {text}" for text in _unexplained(html)] if not name.startswith("settings") else []
        weight = len(gzip.compress(answer.content))
        found += [f"{name}: {weight} bytes"] if weight > _MOST_BYTES else []
    assert not found, "\n".join(found)


def _unexplained(html: str) -> Iterator[str]:
    """Find columns of figures, and buttons, that do not tell what is meant."""
    for head in re.findall(r'<th scope="col" class="(?:number|figure)"[^>]*>.*?</th>', html, re.DOTALL):
        if "data-about" not in head and "状态" not in head:
            yield f"what is it? {head}"
    for table, key in re.findall(r'popovertarget="([\w-]+)-explained" data-about="([\w-]+)"', html):
        if html.count(f'id="{table}-explained"') != 1:
            yield f"not one list of {table}"
        elif not re.search(f'data-of="{key}"><dt>[^<]+</dt><dd>[^<]+<', _list_of(html, table)):
            yield f"{table} does not say what {key} is"


def _list_of(html: str, table: str) -> str:
    return html.partition(f'id="{table}-explained"')[2].partition("</dl>")[0]


def _words_of_the_data() -> Iterator[str]:
    yield from _OTHERS
    for model, names in {
        Account: ("label", "file_name", "email", "key_mask", "provider", "base_url", "plan"), ApiKey: ("alias", "key_mask"),
        Channel: ("name", "slug"), ModelName: ("name",), ModelPrice: ("pattern",), Source: ("label", "provider"), Instance: ("name", "slug"),
        RequestTraits: ("endpoint", "reasoning_effort", "service_tier", "billed_tier"), CollectorProcess: ("name",),
        ClientTraits: ("ip", "forwarded_for", "user_agent"),
    }.items():  # fmt: skip
        for row in model.objects.values_list(*names):
            yield from filter(None, row)
