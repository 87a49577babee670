"""`manage.py sync_prices`: told first, written once accepted; nobody's price and no history is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.conftest import process_environment
from tests.factories import book, payload
from tests.test_price_lists import models_dev_list, publisher, send
from tests.test_pricing import OWN, add_price
from usage.housekeeping.jobs import JobFailed, price_list
from usage.ingest import prices as ingested
from usage.ingest.catalog import Catalog
from usage.ingest.prices import complement_prices, load_prices, price_unpriced
from usage.models import Instance, ModelPrice, UsageRecord
from usage.models.fields import EPOCH, to_micros
from usage.price_lists import models_dev, sync
from usage.price_lists.preview import Group
from usage.price_lists.sync import apply, listed, preview_list

pytestmark = pytest.mark.django_db
Origin = ModelPrice.Origin
COST = {"input": 2, "output": 10, "cache_read": 0.2}


@pytest.fixture
def met(instance: Instance) -> Instance:
    """A record of OWN by codex, unpriced."""
    book(instance, payload(model=OWN))
    return instance


def write(folder: Path, document: object) -> Path:
    path = folder / "list.json"
    path.write_text(json.dumps(document))
    return path


def sync_prices(*arguments: object) -> dict[str, Any]:
    printed = StringIO()
    call_command("sync_prices", "--json", *map(str, arguments), stdout=printed)
    said: dict[str, Any] = json.loads(printed.getvalue())
    return said


def from_list(tmp_path: Path, document: object, *arguments: object) -> dict[str, Any]:
    return sync_prices("--source", "models.dev", "--file", write(tmp_path, document), *arguments)


def groups(said: dict[str, Any]) -> dict[str, str]:
    return {one["model"]: one["group"] for one in said["models"]}


def add_listed(input: str, output: str, **others: Any) -> ModelPrice:
    return add_price(OWN, input, output, **({"origin": Origin.MODELS_DEV, "locked": False} | others))


class TestGroups:
    def test_new_model_is_told_and_written_only_when_accepted(self, met: Instance, tmp_path: Path) -> None:
        document = models_dev_list(COST, model=OWN)
        for arguments in ((), ("--dry-run",)):
            said = from_list(tmp_path, document, *arguments)
            assert groups(said) == {OWN: "new"} and said["applied"] is None
            assert not ModelPrice.objects.exists()
        assert from_list(tmp_path, document, "--apply")["applied"] == 1
        row = ModelPrice.objects.get()
        assert (row.origin, row.locked, row.effective_from) == (Origin.MODELS_DEV, False, EPOCH)
        assert (row.input, row.cached_input, row.output) == (2, Decimal("0.2"), 10)
        assert row.catalog_name == f"openai/{OWN}"
        assert price_unpriced() == 1
        assert groups(from_list(tmp_path, document, "--apply")) == {OWN: "unchanged"}
        assert ModelPrice.objects.count() == 1

    def test_changed_price_is_a_further_row_from_now_on(self, met: Instance, tmp_path: Path) -> None:
        old = add_listed("1.6", "10", cached_input="0.2")
        price_unpriced()
        before = timezone.now()
        said = from_list(tmp_path, models_dev_list(COST, model=OWN), "--apply")
        changes = said["models"][0]["changes"]
        assert [(one["column"], one["old"], one["new"], one["percent"]) for one in changes] == [
            ("input", "1.6", "2", "25.0"),
            ("cache_write", "1.6", "2", "25.0"),
        ]
        new = ModelPrice.objects.exclude(pk=old.pk).get()
        assert before <= new.effective_from <= timezone.now()
        assert UsageRecord.objects.get().price_id == old.pk
        found = load_prices().find(OWN, to_micros(before - timedelta(days=1)), "codex")
        assert found and found.id == old.pk

    def test_multiplier_of_the_operator_stays(self, met: Instance, tmp_path: Path) -> None:
        add_listed("1", "10", multiplier=Decimal("0.3"))
        from_list(tmp_path, models_dev_list(COST, model=OWN), "--apply")
        assert set(ModelPrice.objects.values_list("multiplier", flat=True)) == {Decimal("0.3")}

    def test_threshold_that_the_list_dropped_and_tier_that_it_does_not_know(
        self, met: Instance, tmp_path: Path
    ) -> None:
        add_listed("2", "10", cached_input="0.2")
        add_listed("4", "20", above_input_tokens=200_000)
        add_listed("5", "30", service_tier="priority")
        from_list(tmp_path, models_dev_list(COST, model=OWN), "--apply")
        new = ModelPrice.objects.exclude(effective_from=EPOCH).get()
        assert (new.above_input_tokens, new.service_tier, new.input) == (200_000, "", 2)

    def test_what_a_person_locked_is_skipped(self, met: Instance, tmp_path: Path) -> None:
        add_price("house-*", "1", "1")
        document = models_dev_list(COST, model=OWN)
        assert groups(from_list(tmp_path, document, "--apply")) == {OWN: "locked"}
        assert ModelPrice.objects.count() == 1

    def test_person_who_locked_a_tier_locked_that_alone(self, met: Instance, tmp_path: Path) -> None:
        add_price(OWN, "1", "1", service_tier="Priority")
        fast = {"cost": {"input": 5, "output": 30}, "provider": {"body": {"service_tier": "priority"}}}
        document = models_dev_list(COST, model=OWN, experimental={"modes": {"fast": fast}})
        assert groups(from_list(tmp_path, document, "--apply")) == {OWN: "changed"}
        assert list(ModelPrice.objects.filter(locked=False).values_list("service_tier", flat=True)) == [""]

    def test_price_for_one_provider_is_no_lists(self, met: Instance, tmp_path: Path) -> None:
        add_price(OWN, "1", "1", provider="codex")
        assert groups(from_list(tmp_path, models_dev_list(COST, model=OWN), "--apply")) == {OWN: "new"}

    def test_ambiguous_model_waits_for_a_choice_and_then_keeps_it(self, met: Instance, tmp_path: Path) -> None:
        dear = {"input": 9, "output": 9}
        document = models_dev_list(COST, "a", OWN) | models_dev_list(dear, "b", OWN)
        said = from_list(tmp_path, document, "--apply")
        assert groups(said) == {OWN: "ambiguous"}
        assert said["models"][0]["candidates"] == [f"a/{OWN}", f"b/{OWN}"]
        assert not ModelPrice.objects.exists()
        assert groups(from_list(tmp_path, document, "--apply", "--choose", f"{OWN}=b/{OWN}")) == {OWN: "new"}
        assert ModelPrice.objects.get().input == 9
        assert groups(from_list(tmp_path, document)) == {OWN: "unchanged"}

    @pytest.mark.parametrize(("choice", "words"), [("x", "MODEL=CANDIDATE"), (f"{OWN}=c/x", "its candidates: openai/")])
    def test_choice_that_is_none(self, met: Instance, tmp_path: Path, choice: str, words: str) -> None:
        with pytest.raises(CommandError, match=words):
            from_list(tmp_path, models_dev_list(COST, model=OWN), "--choose", choice)

    def test_only_models_that_records_have_unless_asked_for_all(self, met: Instance, tmp_path: Path) -> None:
        document = models_dev_list(COST, model="other-FAKE")
        said = from_list(tmp_path, document)
        assert groups(said) == {} and OWN in said["missing"]
        assert groups(from_list(tmp_path, document, "--all")) == {"other-FAKE": "new"}

    def test_name_with_a_star_is_no_pattern(self, instance: Instance, tmp_path: Path) -> None:
        book(instance, payload(model="*"))
        assert groups(from_list(tmp_path, models_dev_list(COST, model="*"), "--apply", "--all")) == {}

    def test_price_that_was_locked_since_the_preview_stays(self, met: Instance, tmp_path: Path) -> None:
        path = write(tmp_path, models_dev_list(COST, model=OWN))
        preview = preview_list("models.dev", listed("models.dev", path))
        assert preview.of(Group.NEW)
        add_price(OWN, "1", "1")
        assert apply(preview) == []


def test_in_words(met: Instance, tmp_path: Path) -> None:
    add_listed("1.6", "10", cached_input="0.2", cache_write="2")
    printed = StringIO()
    path = write(tmp_path, models_dev_list(COST | {"cache_write": 2}, model=OWN))
    call_command("sync_prices", "--source", "models.dev", "--file", str(path), stdout=printed)
    words = printed.getvalue()
    assert f"  {OWN}: input 1.6 -> 2 (+25.0 %)\n" in words
    assert "0 new, 1 changed, 0 unchanged, 0 ambiguous, 0 locked" in words
    assert words.endswith("Nothing is written; with --apply it is.\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"openai": {"mod', "is not the JSON of a price list, or only a part of it"),
        ('{"openai": {"models": {"x": {"cost": {"input": -1, "output": 1}}}}}', "openai.models.x.cost.input is -1"),
        ('{"openai": {"models": {"x": {"cost": {"input": NaN, "output": 1}}}}}', "NaN is no number"),
        ('{"openai": {"models": {"x": {"cost": {"input": 1e99, "output": 1}}}}}', "below 1000000 USD"),
        ('{"currency": "CNY"}', "the list is in CNY"),
        (json.dumps(models_dev_list(COST, model="x" * 300)), "is no name of a model"),
        (json.dumps(models_dev_list(COST, model="x\0")), "is no name of a model"),
        (json.dumps(models_dev_list(COST, model="x\ud800")), "is no name of a model"),
        ("{}", "no model with prices in the form of models.dev"),
    ],
)
def test_bad_list_changes_nothing(met: Instance, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(CommandError, match=words) as refused:
        sync_prices("--source", "models.dev", "--file", path, "--apply")
    assert str(refused.value).endswith("Nothing was changed.")
    assert not ModelPrice.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--source", "models.dev"], "--file F, or --url"),
        (["--file", "x"], "no --file, --url or --all"),
        (["--all"], "no --file, --url or --all"),
        (["--source", "litellm", "--url", "http://x.example/"], "begins with https://"),
    ],
)
def test_what_means_nothing_is_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        sync_prices(*arguments)


def test_list_at_an_address(met: Instance) -> None:
    with publisher(send(200, json.dumps(models_dev_list(COST, model=OWN)).encode())) as url:
        models = listed("models.dev", url=url, loopback=True)
    assert [one.model for one in preview_list("models.dev", models).of(Group.NEW)] == [OWN]


class TestInstalledCatalog:
    def test_it_says_what_is_there_already_and_what_is_otherwise(self, instance: Instance) -> None:
        book(instance, payload(model="gpt-5.4"), payload(model=OWN, request_id="x"))
        said = sync_prices()
        assert groups(said) == {"gpt-5.4": "unchanged"} and OWN in said["missing"]
        ModelPrice.objects.filter(service_tier="").update(input=1)
        assert groups(sync_prices("--apply")) == {"gpt-5.4": "changed"}
        assert groups(sync_prices()) == {"gpt-5.4": "unchanged"}

    def test_failure_is_told(self, met: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("usage.ingest.catalog._COMMAND", ["false"])
        with pytest.raises(CommandError, match="genai-prices cannot be asked"):
            sync_prices()

    def test_it_does_not_take_back_what_another_list_changed(
        self, instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        book(instance, payload(model="gpt-5.4"))
        assert groups(from_list(tmp_path, models_dev_list(COST, model="gpt-5.4"), "--apply")) == {"gpt-5.4": "changed"}
        monkeypatch.setattr(ingested, "_catalog", Catalog())
        assert complement_prices([("gpt-5.4", "codex")]) == 0


class TestNightly:
    @pytest.mark.parametrize("source", ["", "models.dev"])
    def test_off_unless_asked_for(self, tmp_path: Path, source: str) -> None:
        environment = process_environment(tmp_path) | {"PRICE_SOURCE": source}
        command = [sys.executable, "manage.py", "housekeeping", "--list"]
        listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert ("price_list" in listed) == bool(source)

    def test_it_writes_what_is_new_and_changed(
        self, met: Instance, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.PRICE_SOURCE = "models.dev"
        read = sync.from_url
        with publisher(send(200, json.dumps(models_dev_list(COST, model=OWN)).encode())) as settings.PRICE_URL:
            monkeypatch.setattr(sync, "from_url", lambda url, **_: read(url, loopback=True))
            assert price_list().text == "1 models new, 0 changed, 0 ambiguous, 0 locked; 1 prices written"
        assert ModelPrice.objects.get().origin == Origin.MODELS_DEV

    def test_its_own_address(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []
        monkeypatch.setattr(
            sync,
            "from_url",
            lambda url, **_: asked.append(url) or models_dev_list({}) | models_dev_list({"input": 1, "output": 1}),
        )
        settings.PRICE_SOURCE, settings.PRICE_URL = "models.dev", ""
        price_list()
        assert asked == [models_dev.URL] == ["https://models.dev/api.json"]

    def test_installed_one(self, instance: Instance, settings: Any) -> None:
        settings.PRICE_SOURCE = "genai-prices"
        book(instance, payload(model="gpt-5.4"))
        assert price_list().text.endswith("0 prices written")

    @pytest.mark.parametrize(
        ("source", "url", "words"),
        [("models", "", "it should be one of genai-prices, models.dev, litellm"), ("litellm", "http://x/", "https://")],
    )
    def test_failure_says_why(self, settings: Any, source: str, url: str, words: str) -> None:
        settings.PRICE_SOURCE, settings.PRICE_URL = source, url
        with pytest.raises(JobFailed, match=words):
            price_list()
