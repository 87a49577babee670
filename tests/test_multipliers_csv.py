"""Multipliers leave as CSV and come back as they were, by page, API and command; a file with a mistake changes nothing."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.factories import undone
from tests.test_prices_page import errors, page, rows, text_of
from usage.models import Account, Channel, Instance, PriceMultiplier
from usage.models.fields import EPOCH, from_micros
from usage.prices.csv_file import MOST_BYTES, BadCsv
from usage.prices.csv_import import Import
from usage.prices.multiplier_csv import MULTIPLIERS

pytestmark = pytest.mark.django_db
API, PAGE = "/api/multipliers/", "/prices/multipliers/"


@pytest.fixture
def team(instance: Instance) -> Account:
    """An account of the channel `codex`, with a number that no other row has."""
    channel = Channel.objects.create(name="codex", kind="oauth")
    return Account.objects.create(pk=4_711, instance=instance, channel=channel, label="team")


def exported() -> bytes:
    return "".join(MULTIPLIERS.table.write(PriceMultiplier.objects.all())).encode()


def imported(content: str | bytes) -> Import:
    found = MULTIPLIERS.prepare(content.encode() if isinstance(content, str) else content)
    if not found.mistakes:
        MULTIPLIERS.write(found)
    return found


def there() -> list[tuple[Any, ...]]:
    return sorted(PriceMultiplier.objects.values_list("channel__slug", "account", "effective_from", "factor"), key=str)


multipliers = st.tuples(
    st.sampled_from(["channel", "account"]), st.integers(0, 4 * 10**15).map(from_micros),
    st.integers(0, 999_999).map(lambda units: Decimal(units) / 10**4),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(multipliers, max_size=4, unique_by=lambda one: one[:2]))
def test_what_leaves_comes_back(team: Account, given: list[tuple[str, Any, Decimal]]) -> None:
    owners = {"channel": team.channel, "account": team}
    with undone():
        for whose, since, factor in given:
            PriceMultiplier.objects.create(**{whose: owners[whose]}, effective_from=since, factor=factor)
        before, content = there(), exported()
        assert imported(content).counts == {"new": 0, "changed": 0, "unchanged": len(given)}
        PriceMultiplier.objects.all().delete()
        assert imported(content).mistakes == []
        assert there() == before
        assert exported() == content


def test_file_as_people_read_it(team: Account) -> None:
    PriceMultiplier.objects.create(account=team, factor=Decimal("0.3"))
    PriceMultiplier.objects.create(channel=team.channel, factor=1, effective_from=from_micros(10**15))
    assert exported().decode().splitlines() == [
        "\ufeffchannel,account,effective_from,factor", ",4711,1970-01-01T00:00:00Z,0.3", "codex,,2001-09-09T01:46:40Z,1",
    ]  # fmt: skip


def test_rows_are_added_and_changed_and_none_deleted(team: Account) -> None:
    row = PriceMultiplier.objects.create(account=team, factor=Decimal("0.3"))
    PriceMultiplier.objects.create(channel=team.channel, factor=2, effective_from=from_micros(10**15))
    assert imported("factor,account,channel\n0.25,4711,\n0.8,,codex\n").counts == {
        "new": 1,
        "changed": 1,
        "unchanged": 0,
    }
    before = row.updated_at
    row.refresh_from_db()
    assert (row.factor, row.updated_at > before) == (Decimal("0.25"), True)
    assert PriceMultiplier.objects.get(channel=team.channel, effective_from=EPOCH).factor == Decimal("0.8")
    assert PriceMultiplier.objects.count() == 3


@pytest.mark.parametrize(
    ("line", "column", "rule"),
    [
        ("codex,,,-0.1", "factor", "greater than or equal to 0"),
        ("codex,,,NaN", "factor", "Enter a number"),
        ("codex,,,1e99", "factor", "digits"),
        ("codex,,,100", "factor", "digits"),
        ("codex,,,0.33333", "factor", "4 decimal places"),
        ("codex,,,", "factor", "required"),
        ("codex,,,cheap", "factor", "Enter a number"),
        ("codex,,soon,1", "effective_from", "Enter a valid"),
        ("codex,4711,,1", "account", "choose the channel or the account"),
        (",,,1", "channel", "Choose a channel or an account"),
        ("nowhere,,,1", "channel", "There is no channel “nowhere”"),
        (",99,,1", "account", "There is no account 99"),
        (",team,,1", "account", "There is no account team"),
        (f",{'9' * 30},,1", "account", "There is no account 999"),
        (
            ",4711,1970-01-01T00:00:00Z,2",
            "effective_from",
            "line 2 has a multiplier for it from this moment on already",
        ),
    ],
)
def test_mistake_names_line_column_and_rule(team: Account, line: str, column: str, rule: str) -> None:
    found = imported(f"channel,account,effective_from,factor\n,4711,,1\n{line}\n")
    (mistake,) = found.mistakes
    assert (mistake.line, mistake.column) == (3, column)
    assert rule in mistake.rule
    assert not PriceMultiplier.objects.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty"),
        (b"channel,account\ncodex,\n", "column factor is missing"),
        (
            b"pattern,input,output\nx,1,2\n",
            "“pattern” is no column; there are: channel, account, effective_from, factor",
        ),
        (b"channel,factor\ncodex\n", "Line 2 has 1 cells"),
        (b"x" * (MOST_BYTES + 1), "more than 8 MB"),
    ],
)
def test_file_that_is_no_table_of_multipliers(content: bytes, words: str) -> None:
    with pytest.raises(BadCsv, match=words):
        MULTIPLIERS.table.read(content)


def upload(client: Client, content: str) -> Any:
    return client.post(f"{PAGE}import/", {"file": SimpleUploadedFile("multipliers.csv", content.encode())})


class TestPage:
    def test_previewed_and_applied_once(self, staff: Client, team: Account) -> None:
        PriceMultiplier.objects.create(account=team, factor=Decimal("0.3"))
        html = page(staff, PAGE)
        assert 'href="/api/multipliers/?format=csv"' in html and f'href="{PAGE}import/"' in html
        address = upload(staff, "channel,account,factor\ncodex,,0.8\n,4711,0.25\n")["Location"]
        html = page(staff, address)
        assert rows(html, "New") == [["codex × 0.8", "always", "multiplier 0.80"]]
        assert rows(html, "Changed") == [["codex · team × 0.3", "always", "multiplier 0.3 → 0.25"]]
        assert there() == [(None, 4_711, EPOCH, Decimal("0.3"))]
        for _ in range(2):
            assert "2 rows written." in staff.post(address, follow=True).content.decode()
        assert there() == [("codex", None, EPOCH, Decimal("0.8")), (None, 4_711, EPOCH, Decimal("0.25"))]

    def test_mistakes_are_told_by_line(self, staff: Client, team: Account) -> None:
        html = upload(staff, "channel,factor\ncodex,-1\n").content.decode()
        assert errors(html) == {"file": "The file has 1 mistake: nothing was changed."}
        assert rows(html, "Mistakes") == [
            ["Line 2", "factor", "-1", "Ensure this value is greater than or equal to 0."]
        ]
        assert not PriceMultiplier.objects.exists()

    def test_a_preview_is_no_longer_that_after_an_edit_or_on_the_other_page(self, staff: Client, team: Account) -> None:
        address = upload(staff, "channel,factor\ncodex,0.8\n")["Location"]
        assert "no longer kept" in staff.get(address.replace("multipliers/", ""), follow=True).content.decode()
        PriceMultiplier.objects.create(account=team, factor=1)
        assert "Prices have changed since" in text_of(staff.post(address).content.decode())
        assert PriceMultiplier.objects.count() == 1

    def test_who_may(self, reader: Client, team: Account) -> None:
        assert upload(reader, "channel,factor\ncodex,0.8\n").status_code == 403
        assert reader.get(f"{PAGE}import/").status_code == 403 and f"{PAGE}import/" not in page(reader, PAGE)


class TestApi:
    @pytest.fixture
    def admin_api(self, db: None) -> APIClient:
        client = APIClient()
        client.force_authenticate(get_user_model().objects.create_user("eve", is_staff=True))
        return client

    def test_csv_and_back(self, admin_api: APIClient, team: Account) -> None:
        row = PriceMultiplier.objects.create(account=team, factor=Decimal("0.3"))
        answer = admin_api.get(API, {"format": "csv"})
        assert answer["Content-Disposition"] == 'attachment; filename="multipliers.csv"'
        assert answer.content == exported()
        content = answer.content.replace(b",0.3", b",0.25")
        expected = {
            "new": 0, "changed": 1, "unchanged": 0, "written": 0, "changes": [{
                "id": row.pk, "multiplier": "codex · team × 0.3", "columns": {"factor": {"old": "0.3", "new": "0.25"}},
            }],
        }  # fmt: skip
        assert admin_api.post(f"{API}import/?dry_run=1", content, content_type="text/csv").json() == expected
        done = admin_api.post(f"{API}import/", content, content_type="text/csv").json()
        assert (done["written"], PriceMultiplier.objects.get().factor) == (1, Decimal("0.25"))

    def test_refused(self, admin_api: APIClient, api: APIClient, team: Account) -> None:
        bad = admin_api.post(f"{API}import/", "channel,factor\ncodex,-1\n", content_type="text/csv")
        assert (bad.status_code, bad.json()["mistakes"][0]["column"]) == (400, "factor")
        assert "file" in admin_api.post(f"{API}import/", b"\xff", content_type="text/csv").json()
        assert api.post(f"{API}import/", "channel,factor\ncodex,1\n", content_type="text/csv").status_code == 403
        assert not PriceMultiplier.objects.exists()


def test_command(tmp_path: Path, team: Account) -> None:
    PriceMultiplier.objects.create(account=team, factor=Decimal("0.3"))
    path, printed = tmp_path / "multipliers.csv", StringIO()
    call_command("prices_csv", "export", str(path), "--multipliers")
    assert path.read_bytes() == exported()
    path.write_bytes(path.read_bytes().replace(b",0.3", b",0.25"))
    call_command("prices_csv", "import", str(path), "--multipliers", stdout=printed)
    assert (
        printed.getvalue() == "codex · team × 0.3: factor 0.3 -> 0.25\n0 new, 1 changed, 0 unchanged\n1 rows written.\n"
    )
    path.write_text("channel,factor\ncodex,-1\n")
    with pytest.raises(CommandError, match="Line 2, factor “-1”"):
        call_command("prices_csv", "import", str(path), "--multipliers")
    assert PriceMultiplier.objects.get().factor == Decimal("0.25")
