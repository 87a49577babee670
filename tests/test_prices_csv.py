"""Prices leave as CSV and come back as they were; a file with a mistake changes nothing."""

from __future__ import annotations

import csv
from datetime import time
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import undone
from tests.test_pricing import OWN, add_price
from usage.models import Account, Channel, Instance, ModelPrice
from usage.models.fields import from_micros
from usage.prices.csv_file import MOST_BYTES, BadCsv
from usage.prices.csv_import import Import
from usage.prices.price_csv import PRICES

pytestmark = pytest.mark.django_db
HEADER = "pattern,input,output"


def exported() -> bytes:
    return "".join(PRICES.table.write(ModelPrice.objects.all())).encode()


def imported(content: str | bytes) -> Import:
    found = PRICES.prepare(content.encode() if isinstance(content, str) else content)
    if not found.mistakes:
        PRICES.write(found)
    return found


def rows() -> list[tuple[Any, ...]]:
    return sorted(ModelPrice.objects.values_list(*PRICES.table.columns), key=str)


# Characters that CSV, spreadsheets and our own quoting stumble over, and any others that a database takes.
nasty = st.sampled_from(list("=+-@\t\r\n'\",;\ufeff \u00a0é价"))
texts = st.text(nasty | st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
amounts = st.integers(0, 10**12 - 1).map(lambda units: Decimal(units) / 10**6)
moments = st.integers(0, 4 * 10**15).map(from_micros)
clocks = st.sampled_from([time(), time(0, 30), time(16, 30), time(23, 59, 59, 999_999)])
prices = st.builds(
    ModelPrice,
    pattern=texts.filter(lambda text: text != ""),
    provider=texts,
    service_tier=texts,
    daily_from=clocks,
    daily_until=clocks,
    above_input_tokens=st.integers(0, 2**53),
    effective_from=moments,
    input=amounts,
    cached_input=st.none() | amounts,
    cache_write=st.none() | amounts,
    output=amounts,
    reasoning=st.none() | amounts,
    per_request=st.integers(0, 10**12 - 1).map(lambda units: Decimal(units) / 10**9),
    multiplier=st.integers(0, 999_999).map(lambda units: Decimal(units) / 10**4),
    origin=st.sampled_from(ModelPrice.Origin.values),
    locked=st.booleans(),
    catalog_name=texts,
).filter(lambda price: price.daily_from != price.daily_until or price.daily_from == time())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.lists(prices, max_size=5, unique_by=lambda price: price.pattern))
def test_what_leaves_comes_back(given: list[ModelPrice]) -> None:
    with undone():
        ModelPrice.objects.bulk_create(given)
        before, content = rows(), exported()
        assert imported(content).counts == {"new": 0, "changed": 0, "unchanged": len(given)}
        ModelPrice.objects.all().delete()
        found = imported(content)
        assert found.mistakes == []
        assert rows() == before
        assert exported() == content


@given(st.lists(prices, max_size=3))
def test_no_cell_is_a_formula(given: list[ModelPrice]) -> None:
    for row in csv.reader(StringIO("".join(PRICES.table.write(given)), newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_file_as_excel_wants_it() -> None:
    add_price(OWN, "0.000001", "12.5", cached_input=Decimal(0), provider="=codex")
    content = exported()
    assert content.startswith(b"\xef\xbb\xbfpattern,provider,")
    assert content.endswith(
        f"{OWN},'=codex,,,,,,0,1970-01-01T00:00:00Z,0.000001,0,,12.5,,0,1,true,manual,\r\n".encode()
    )


def test_price_of_an_account_of_a_channel_and_of_a_time_of_day_comes_back(instance: Instance) -> None:
    channel = Channel.objects.create(name="https://relay.example/v1", kind="api_key")
    account = Account.objects.create(instance=instance, channel=channel, label="team")
    add_price(OWN, "1", "2")
    add_price(OWN, "3", "4", channel=channel, daily_from=time(16, 30))
    add_price(OWN, "5", "6", account=account, daily_until=time(8))
    content = exported()
    lines = {line.split(",")[9]: line.split(",")[2:7] for line in content.decode().splitlines()[1:]}
    assert lines == {
        "1": ["", "", "", "", ""], "3": [channel.slug, "", "", "16:30", ""], "5": ["", f"{account.pk}", "", "", "08:00"],
    }  # fmt: skip
    before = list(ModelPrice.objects.values_list("channel", "account", "daily_from", "daily_until", "input"))
    assert imported(content.replace(b",5,,,6,", b",7,,,6,")).counts == {"new": 0, "changed": 1, "unchanged": 2}
    ModelPrice.objects.all().delete()
    assert imported(content).counts == {"new": 3, "changed": 0, "unchanged": 0}
    assert list(ModelPrice.objects.values_list("channel", "account", "daily_from", "daily_until", "input")) == before


class TestImport:
    def test_least_file(self) -> None:
        assert imported(f"{HEADER}\n{OWN},2.5,15\n").counts == {"new": 1, "changed": 0, "unchanged": 0}
        row = ModelPrice.objects.get()
        assert (row.input, row.cached_input, row.multiplier, row.locked, row.origin) == (
            Decimal("2.5"),
            None,
            1,
            True,
            "manual",
        )

    def test_columns_in_any_order_and_blank_lines(self) -> None:
        imported("\ufeffOutput, INPUT ,pattern\r\n\r\n3,2," + OWN + "\r\n\r\n")
        assert ModelPrice.objects.get().output == 3

    def test_changed_price_is_a_persons(self) -> None:
        row = add_price(OWN, "1", "2", origin="models.dev", locked=False, cached_input=Decimal("0.5"))
        found = imported(f"{HEADER}\n{OWN},1.5,2\n")
        assert found.counts == {"new": 0, "changed": 1, "unchanged": 0}
        row.refresh_from_db()
        assert (row.input, row.cached_input, row.origin, row.locked) == (Decimal("1.5"), Decimal("0.5"), "manual", True)

    def test_who_only_unlocks_a_price_unlocks_it(self) -> None:
        row = add_price(OWN, "1", "2")
        imported(f"{HEADER},locked\n{OWN},1,2,FALSE\n")
        row.refresh_from_db()
        assert row.locked is False

    @pytest.mark.parametrize(
        ("line", "column", "value", "rule"),
        [
            (f"{OWN},-1,2", "input", "-1", "greater than or equal to 0"),
            (f"{OWN},1,NaN", "output", "NaN", "Enter a number"),
            (f"{OWN},1e99,2", "input", "1e99", "digits"),
            (f"{OWN},0.0000001,2", "input", "0.0000001", "6 decimal places"),
            (f"{OWN},,2", "input", "", "required"),
            (f"{OWN},$1,2", "input", "$1", "Enter a number"),
            (",1,2", "pattern", "", "required"),
            ("x" * 301 + ",1,2", "pattern", "x" * 40, "300 characters"),
            ("x\0,1,2", "pattern", "x\0", "Null characters"),
        ],
    )
    def test_mistake_names_line_column_value_and_rule(self, line: str, column: str, value: str, rule: str) -> None:
        found = imported(f"{HEADER}\nfine,1,2\n{line}\n")
        (mistake,) = found.mistakes
        assert (mistake.line, mistake.column, mistake.value) == (3, column, value)
        assert rule in mistake.rule
        assert not ModelPrice.objects.exists()

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("effective_from", "yesterday"), ("effective_from", "2026-13-01T00:00:00Z"), ("above_input_tokens", "-1"),
            ("above_input_tokens", "1.5"), ("above_input_tokens", "9" * 30), ("multiplier", "100"), ("locked", "maybe"),
            ("origin", "me"), ("provider", "x" * 101), ("per_request", "0.0000000001"), ("cached_input", "-0.1"),
            ("channel", "nowhere"), ("account", "99"), ("account", "9" * 30), ("account", "team"), ("daily_from", "24:00"),
            ("daily_until", "noon"),
        ],
    )  # fmt: skip
    def test_mistake_in_a_column_that_may_be_left_out(self, column: str, value: str) -> None:
        found = imported(f"{HEADER},{column}\n{OWN},1,2,{value}\n")
        assert [(mistake.line, mistake.column) for mistake in found.mistakes] == [(2, column)]
        assert not ModelPrice.objects.exists()

    def test_conditions_that_contradict_each_other(self, instance: Instance) -> None:
        channel = Channel.objects.create(name="codex", kind="oauth")
        account = Account.objects.create(instance=instance, channel=channel, label="team")
        found = imported(
            f"{HEADER},channel,account,daily_from,daily_until\n{OWN},1,2,codex,{account.pk},,\n{OWN},1,2,,,09:00,09:00\n"
        )
        assert [(mistake.line, mistake.column) for mistake in found.mistakes] == [(2, "account"), (3, "daily_until")]

    def test_channel_that_is_not_there_is_named(self) -> None:
        (mistake,) = imported(f"{HEADER},channel\n{OWN},1,2,nowhere\n").mistakes
        assert str(mistake) == "Line 2, channel “nowhere”: There is no channel “nowhere”; give its slug."

    def test_lines_of_the_file_are_counted_not_rows(self) -> None:
        found = imported(f'{HEADER}\n"two\nlines",1,2\n\nbad,-1,-2\n')
        assert [(mistake.line, mistake.column) for mistake in found.mistakes] == [(5, "input"), (5, "output")]

    def test_same_price_twice(self) -> None:
        (mistake,) = imported(f"{HEADER}\n{OWN},1,2\n{OWN},3,4\n").mistakes
        assert mistake.line == 3 and "line 2 has a price" in mistake.rule

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "The file is empty"),
            (b"pattern,input\nx,1\n", "column output is missing"),
            (b"pattern,input,output,colour\n", "“colour” is no column"),
            (b"pattern,input,output,input\n", "column input is there twice"),
            (b"pattern;input;output\n", "is no column"),
            (b"pattern,input,output\nx,1\n", "Line 2 has 2 cells; the first line names 3 columns"),
            (b"pattern,input,output\nx,1,2,3\n", "Line 2 has 4 cells"),
            (b'pattern,input,output\nx,1,2\n"x,1,2\n', "Line 3 is no CSV"),
            (b'pattern,input,output\n"x"y,1,2\n', "Line 2 is no CSV"),
            (b"pattern,input,output\n\xbc\xdb,1,2\n", "Line 2 is no UTF-8"),
            ("pattern,input,output\n".encode("utf-16"), "Line 1 is no UTF-8"),
            (b"x" * (MOST_BYTES + 1), "more than 8 MB"),
            (b"pattern,input,output\n" + b"x" * 200_000 + b",1,2\n", "Line 2 is no CSV"),
        ],
    )
    def test_file_that_is_no_table_of_prices(self, content: bytes, words: str) -> None:
        with pytest.raises(BadCsv, match=words):
            PRICES.table.read(content)


class TestCommand:
    def test_out_and_in(self, tmp_path: Path) -> None:
        add_price(OWN, "1", "2")
        path, printed = tmp_path / "prices.csv", StringIO()
        call_command("prices_csv", "export", str(path))
        path.write_bytes(path.read_bytes().replace(b",1,,,2,", b",1.5,,,2,"))
        call_command("prices_csv", "import", str(path), "--dry-run", stdout=printed)
        assert f"{OWN}: input 1 -> 1.5\n0 new, 1 changed, 0 unchanged\nNothing is written.\n" == printed.getvalue()
        assert ModelPrice.objects.get().input == 1
        call_command("prices_csv", "import", str(path), stdout=printed)
        assert printed.getvalue().endswith("1 rows written.\n")
        assert ModelPrice.objects.get().input == Decimal("1.5")

    def test_mistakes_are_told(self, tmp_path: Path) -> None:
        path = tmp_path / "prices.csv"
        path.write_text(f"{HEADER}\n" + f"{OWN},-1,2\n" * 30)
        with pytest.raises(CommandError) as refused:
            call_command("prices_csv", "import", str(path))
        assert str(refused.value).startswith("Line 2, input “-1”: Ensure this value is greater than or equal to 0.")
        assert str(refused.value).endswith("and 10 more. Nothing was changed.")

    @pytest.mark.parametrize("direction", ["export", "import"])
    def test_file_that_is_none(self, tmp_path: Path, direction: str) -> None:
        with pytest.raises(CommandError, match="Is a directory"):
            call_command("prices_csv", direction, str(tmp_path))
