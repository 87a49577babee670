"""A database is named by its address; what names none is refused in words that do not repeat a password."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

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


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it has no such settings")
@pytest.mark.parametrize(
    ("of_the_operator", "expected"),
    [("", ["32MB", "1.1", "off"]), ("-c work_mem=9MB -c jit=on", ["9MB", "1.1", "on"])],
)
def test_postgresql_plans_for_sums_unless_the_operator_says_how(of_the_operator: str, expected: list[str]) -> None:
    other = connection.copy()
    other.settings_dict["OPTIONS"] = other.settings_dict["OPTIONS"] | {"options": of_the_operator}
    try:
        with other.cursor() as cursor:
            found = []
            for name in ("work_mem", "random_page_cost", "jit"):
                cursor.execute(f"SHOW {name}")
                found += cursor.fetchone()
        assert found == expected
    finally:
        other.close()
