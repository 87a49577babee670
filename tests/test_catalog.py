"""Catalog prices come from a process that ends, asked seldom; when it cannot be asked, no record waits."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.factories import book, payload
from usage.ingest import catalog, prices
from usage.ingest.catalog import Catalog
from usage.ingest.ledger import Ledger
from usage.ingest.prices import price_unpriced
from usage.models import Instance, ModelPrice, UsageRecord

KNOWN = ("gpt-4o", "codex")
NO_MODEL = ("no-such-model-FAKE", "codex")


class Child:
    """Stands in place of the process that is asked: answers with `code`, and leaves a line for each time it is."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._log = folder / "asked"
        self._monkeypatch = monkeypatch

    def becomes(self, code: str) -> None:
        note = f"open({str(self._log)!r}, 'a').write('x'); "
        self._monkeypatch.setattr(catalog, "_COMMAND", [sys.executable, "-c", note + code])

    @property
    def times_asked(self) -> int:
        return len(self._log.read_text()) if self._log.exists() else 0


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Child:
    monkeypatch.setattr(prices, "_catalog", Catalog())
    return Child(tmp_path, monkeypatch)


BROKEN = ["raise SystemExit(3)", "print('no JSON')", "print('[]')", "import time; time.sleep(60)"]


def test_the_catalog_itself_never_comes_into_this_process() -> None:
    found = Catalog().look_up([KNOWN, NO_MODEL, ("gpt-4o*", "codex")])
    assert set(found) == {KNOWN}
    name, listed = found[KNOWN]
    assert (name, listed[0].pattern, listed[0].input) == ("openai/gpt-4o", "gpt-4o", 2_500_000)
    assert "genai_prices" not in sys.modules


def test_each_question_is_asked_once_whatever_the_answer(child: Child) -> None:
    child.becomes("import json, sys; json.dump([None for _ in json.load(sys.stdin)], sys.stdout)")
    asked = Catalog()
    for _ in range(3):
        assert asked.look_up([KNOWN, NO_MODEL]) == {}
    assert child.times_asked == 1
    asked.look_up([KNOWN, ("another", "codex")])
    assert child.times_asked == 2


@pytest.mark.parametrize("code", BROKEN)
def test_child_that_fails_is_left_alone_for_a_while_and_named_once(
    child: Child, code: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(catalog, "_TIMEOUT_SECONDS", 1.0)
    child.becomes(code)
    asked = Catalog()
    for number in range(3):
        assert asked.look_up([KNOWN, (f"m{number}", "codex")]) == {}
    assert child.times_asked == 1
    monkeypatch.setattr(catalog, "_AGAIN_SECONDS", 0.0)
    assert asked.look_up([KNOWN]) == {}
    assert child.times_asked == 2
    assert len(caplog.records) == 1


def test_interpreter_that_cannot_be_started_fails_like_any_other(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_COMMAND", ["/nonexistent/python"])
    assert Catalog().look_up([KNOWN]) == {}


def test_records_are_booked_without_a_catalog_and_priced_when_it_is_back(
    child: Child, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = catalog._COMMAND
    child.becomes(BROKEN[0])
    ledger = Ledger(instance)
    assert ledger.book([payload(model="gpt-4o", provider="codex")], ()).new == 1
    ledger.refresh_prices()
    assert UsageRecord.objects.get().cost_nanousd is None
    monkeypatch.setattr(catalog, "_COMMAND", command)
    monkeypatch.setattr(catalog, "_AGAIN_SECONDS", 0.0)
    ledger.refresh_prices()
    assert set(ModelPrice.objects.values_list("pattern", flat=True)) == {"gpt-4o"}
    ledger.book([payload(model="gpt-4o", provider="codex", request_id="later")], ())
    assert UsageRecord.objects.filter(cost_nanousd=None).count() == 1
    assert price_unpriced() == 1


def test_pricing_later_asks_the_catalog_too(child: Child, instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    command = catalog._COMMAND
    child.becomes(BROKEN[0])
    book(instance, payload(model="gpt-4o", provider="codex"))
    monkeypatch.setattr(prices, "_catalog", Catalog())
    monkeypatch.setattr(catalog, "_COMMAND", command)
    assert price_unpriced() == 1
    assert UsageRecord.objects.get().cost_nanousd


class TestRefresh:
    """A ledger that lives for months takes up what the operator changes."""

    def cost(self, ledger: Ledger, **fields: Any) -> int | None:
        one = payload(model="own-FAKE", **fields)
        ledger.book([one], ())
        return UsageRecord.objects.get(dedup_key=one.dedup_key).cost_nanousd

    def test_new_changed_and_deleted_prices_are_taken_up(self, child: Child, instance: Instance) -> None:
        child.becomes("import json, sys; json.dump([None for _ in json.load(sys.stdin)], sys.stdout)")
        ledger = Ledger(instance)
        assert self.cost(ledger, request_id="1") is None
        row = ModelPrice.objects.create(pattern="own-*", input=1, output=1)
        ledger.refresh_prices()
        assert self.cost(ledger, request_id="2") == 120_000
        row.input = row.output = 2
        row.updated_at += timedelta(seconds=1)
        row.save()
        ledger.refresh_prices()
        assert self.cost(ledger, request_id="3") == 240_000
        row.delete()
        ledger.refresh_prices()
        assert self.cost(ledger, request_id="4") is None
        assert child.times_asked == 1

    def test_nothing_new_costs_two_queries(self, instance: Instance, django_assert_num_queries: Any) -> None:
        ledger = Ledger(instance)
        with django_assert_num_queries(2):
            ledger.refresh_prices()
