"""What every test stands on: a data folder of its own, a real database file, plain static files, quick passwords."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.management import create_contenttypes
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import connection
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.signals import post_migrate
from django.test import Client
from django.utils import translation
from rest_framework.test import APIClient

from channels_app.stats.percentiles import kept_hours
from tests.lasting_catalog import LastingCatalog
from tests.migrated import make_database, make_file
from usage.ingest import prices
from usage.models import Instance

KEY = "mgmt-FAKE-key-0001"


def pytest_addoption(parser: pytest.Parser) -> None:
    # On PostgreSQL the same code is killed a second time.
    kills = 6 if os.environ["DATABASE_URL"].startswith("sqlite") else 3
    parser.addoption("--durability-kills", type=int, default=kills, help="how often test_durability kills a collector")
    parser.addoption(
        "--screenshots", metavar="FOLDER", help="where tests/browser/test_every_view.py keeps what it sees"
    )
    parser.addoption("--all-prices", action="store_true", help="compare 200 usages of each model of the catalog")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Importing what would be left out whole takes seconds of each worker."""
    is_left_out = collection_path.name == "browser" or collection_path.stem in _ABOUT_WORDS
    return True if is_left_out and connection.vendor == "postgresql" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL, the second run of the suite, leave out what touches no database, or brings its own.

    And what looks at words, of pages in a browser or by a client, or of a command: every view is asked there by
    `test_every_page`, and whatever builds queries of its own from an address is in `_ASKED_TWICE`.
    """
    _begin_with_the_long_ones(items)
    if connection.vendor == "sqlite":
        return
    alike = [item for item in items if not _touches_the_database(item)]
    config.hook.pytest_deselected(items=alike)
    items[:] = [item for item in items if item not in set(alike)]


def pytest_collection_finish() -> None:
    """All that is there now stays: looking for garbage in it would take a twentieth of the time of the tests."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _begin_with_the_long_ones(items: list[pytest.Item]) -> None:
    """One for each worker of xdist, which begin with equal shares of `items`: at the end all would wait for them."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    long = [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if not item.get_closest_marker("long")]
    share = len(items) // workers
    for worker in reversed(range(workers)):
        items[worker * share : worker * share] = long[worker::workers]


_PEOPLE = {"reader", "staff", "chinese", "admin_client"}
_ASKED_TWICE = {"test_every_page", "test_one_sum", "test_records_page", "test_scatter", "test_secrets_stay_out"}
# These write and read rows as all others do; what they are about is elsewhere.
_ABOUT_WORDS = {
    "test_doctor",
    "test_gaps",
    "test_interval",
    "test_multipliers_csv",
    "test_prices_csv",
    "test_privacy",
    "test_sync_faults",
    "test_sync_prices",
    "test_sync_profiles",
    "test_warnings",
}


def _touches_the_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    is_page = fixtures & _PEOPLE and item.path.stem not in _ASKED_TWICE
    if is_page:
        return False
    return bool(item.get_closest_marker("django_db")) or "db" in fixtures or "transactional_db" in fixtures


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: Any) -> None:
    """Make this worker's database. SQLite is as in production: a file in WAL mode, that other processes can open too."""
    if connection.vendor == "sqlite":
        path = Path(os.environ["DATA_DIR"]) / "test.sqlite3"
        django_settings.DATABASES["default"]["TEST"]["NAME"] = str(path)
        make_file(path)
        return
    with django_db_blocker.unblock():
        make_database(connection.creation._get_test_db_name())


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """It is there, with its tables; and its folder or its server goes with it."""
    return True


# What Django says of the models themselves: the same after each test, and made anew it costs more than many a test.
_STAY = {"django_content_type", "auth_permission"}


@pytest.fixture(scope="session", autouse=True)
def few_tables_are_emptied() -> Iterator[None]:
    """After a test with transactions of its own all tables would be emptied, of PostgreSQL with all their indexes."""
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)
    with pytest.MonkeyPatch.context() as patch:
        # Of all connections: some tests have others in the place of the first.
        patch.setattr(type(connection.ops), "sql_flush", _empty_what_is_filled)
        yield


def _empty_what_is_filled(
    operations: BaseDatabaseOperations, style: Any, tables: list[str], **options: Any
) -> list[str]:
    """In place of `DatabaseOperations.sql_flush`: foreign keys are looked at when the transaction ends."""
    filled = (f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")" for name in set(tables) - _STAY)
    with operations.connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(filled))
        return [f'DELETE FROM "{name}"' for (name,) in cursor.fetchall()]


@pytest.fixture(scope="session", autouse=True)
def catalog_stays() -> Iterator[None]:
    catalog = LastingCatalog()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prices, "_catalog", catalog)
        yield
    catalog.end()


@pytest.fixture(autouse=True)
def own_content_types() -> Iterator[None]:
    """Their numbers are remembered by the process; those that a test makes go with it."""
    yield
    ContentType.objects.clear_cache()


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """A page leaves its language behind; whatever comes next in this process would be said in it."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def own_data_folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()
    kept_hours.forget()


@pytest.fixture
def api(db: None) -> APIClient:
    """A client of the API, signed in."""
    client = APIClient()
    client.force_authenticate(get_user_model().objects.create_user("ann"))
    return client


@pytest.fixture
def instance(db: None) -> Instance:
    """A server in the database that nothing listens for."""
    row = Instance(name="Test CPA", base_url="http://127.0.0.1:9")
    row.management_key = KEY
    row.save()
    return row


def process_environment(data_dir: Path) -> dict[str, str]:
    """Return the environment in which another process works on this test's database."""
    name = str(connection.settings_dict["NAME"])
    url = f"sqlite:///{name}"
    if connection.vendor == "postgresql":
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    return os.environ | {"DATABASE_URL": url, "DATA_DIR": str(data_dir)}


@pytest.fixture
def reader(db: None, client: Client) -> Client:
    """A browser in which somebody is signed in who may only read."""
    client.force_login(get_user_model().objects.create_user("reader"))
    return client


@pytest.fixture
def staff(db: None, client: Client) -> Client:
    """A browser in which an operator is signed in."""
    client.force_login(get_user_model().objects.create_user("operator", is_staff=True))
    return client
