"""A database is named by its address; what names none is refused in words that do not repeat a password."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.database import read_database


@pytest.mark.parametrize(
    ("url", "engine", "name"),
    [
        ("sqlite:////data/meter.sqlite3", "sqlite3", "/data/meter.sqlite3"),
        ("postgres://meter:FAKE-password@db:5432/usage", "postgresql", "usage"),
        ("postgresql://meter:FAKE-password@db/usage", "postgresql", "usage"),
    ],
)
def test_both_engines_are_known(url: str, engine: str, name: str) -> None:
    found = read_database("DATABASE_URL", url)
    assert (found["ENGINE"].rpartition(".")[2], found["NAME"]) == (engine, name)


@pytest.mark.parametrize("url", ["nonsense", "mysql://meter:FAKE-password@db/usage", "mongo://FAKE-password@db/usage"])
@pytest.mark.filterwarnings("error")
def test_another_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"DATABASE_REPLICA_URL names no database .* sqlite:") as refused:
        read_database("DATABASE_REPLICA_URL", url)
    assert "FAKE" not in str(refused.value)
