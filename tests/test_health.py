"""What supervisors ask: whether the process answers, and whether the whole is ready."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

from usage import health
from usage.demo.collection import lead
from usage.models import CollectorProcess

READY = {"database": True, "migrations": True, "collector": True, "spool": True}


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what an earlier test saw of the migrations."""
    monkeypatch.setattr(health, "_migrated", False)


def ready(client: Client) -> tuple[int, dict[str, bool]]:
    answer = client.get("/readyz")
    assert answer.json().keys() == {"status", "checks"}
    assert answer.json()["status"] == ("ok" if answer.status_code == 200 else "fail")
    assert "no-store" in answer["Cache-Control"]
    return answer.status_code, answer.json()["checks"]


def test_the_process_answers_without_a_database(client: Client) -> None:
    # No `db` fixture: a query fails this test.
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": {"web": True}})


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_it_can_be_looked_at_only(client: Client, db: None, address: str) -> None:
    assert client.head(address).status_code in (200, 503)
    assert client.post(address).status_code == 405


def test_ready_when_all_is_there(client: Client, db: None) -> None:
    lead(timezone.now())
    assert ready(client) == (200, READY)


def test_not_ready_without_a_leading_collector(client: Client, db: None) -> None:
    assert ready(client) == (503, READY | {"collector": False})
    lead(timezone.now(), ago=timedelta(seconds=70))
    assert ready(client) == (503, READY | {"collector": False})
    CollectorProcess.objects.update(seen_at=timezone.now(), role=CollectorProcess.Role.STANDBY)
    assert ready(client) == (503, READY | {"collector": False})


def test_not_ready_with_a_full_spool(client: Client, db: None, settings: Any) -> None:
    lead(timezone.now())
    settings.SPOOL_FREE_BYTES = 2**60
    assert ready(client) == (503, READY | {"spool": False})


def test_not_ready_before_a_migration(client: Client, db: None) -> None:
    lead(timezone.now())
    MigrationRecorder(connection).migration_qs.filter(app="usage").exclude(name__startswith="0001").delete()
    assert ready(client) == (503, READY | {"migrations": False})


def test_it_is_cheap(client: Client, db: None, django_assert_max_num_queries: Any) -> None:
    ready(client)
    lead(timezone.now())
    ready(client)
    with django_assert_max_num_queries(2):
        assert ready(client)[0] == 200


@pytest.mark.parametrize(
    ("url", "database"), [("postgresql://meter:FAKE-password@127.0.0.1:9/meter", False), ("sqlite:///{}/new", True)]
)
def test_not_ready_without_a_database_or_its_tables(tmp_path: Path, url: str, database: bool) -> None:
    """In a process of its own, whose database is away or was never migrated; its address stays inside."""
    script = (
        "import django; django.setup(); from django.test import Client; print(Client().get('/readyz').content.decode())"
    )
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": url.format(tmp_path),
        "DATA_DIR": str(tmp_path),
        "ALLOWED_HOSTS": "testserver",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=django_settings.BASE_DIR, capture_output=True, text=True
    )
    answer = json.loads(done.stdout)
    assert answer["checks"] == {"database": database, "migrations": False, "collector": False, "spool": True}
    assert "FAKE-password" not in done.stdout and str(tmp_path) not in done.stdout
