from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from channels_app.charts.bubbles import Bubble, Bubbles
from tests.pages import exact, rows, text
from tests.sample_usage import TOKENS, make_sample_usage
from tests.test_pricing import add_price
from usage.ingest import rollup
from usage.models import Instance, ModelName, UsageRecord

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def sample(instance: Instance) -> Instance:
    """Of the Claude models the answers are timed, those of opus twice as fast as those of sonnet."""
    make_sample_usage(instance, timezone.now())
    for name, milliseconds in (("claude-opus-4-6", 60_000), ("claude-sonnet-4-5", 120_000)):
        UsageRecord.objects.filter(model__name=name).update(latency_ms=milliseconds + 1_000, ttft_ms=1_000)
    rollup.rebuild()
    return instance


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"/models/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def pk(name: str) -> int:
    return ModelName.objects.get(name=name).pk


def test_who_is_not_signed_in_goes_to_the_login(client: Client, db: None) -> None:
    assert client.get("/models/")["Location"] == "/login/?next=/models/"


def test_an_empty_install_shows_the_steps(reader: Client, instance: Instance) -> None:
    html = page(reader)
    assert "No requests recorded yet" in html and "<table" not in html


def test_each_model_is_a_row_and_they_add_up(reader: Client, sample: Instance) -> None:
    found = rows(page(reader))
    assert [(row["name"], row["requests"]) for row in found] == [
        ("claude-opus-4-6", "104"), ("gpt-5-codex", "40"), ("mystery-model", "20"), ("claude-sonnet-4-5", "10"),
        ("Total", "174"),
    ]  # fmt: skip
    for column in ("requests", "tokens", "input", "cached", "output"):
        values = exact(page(reader), column)
        assert sum(values[:-1]) == values[-1] > 0
    assert sum(float(row["share"].rstrip("%")) for row in found[:-1]) == pytest.approx(100, abs=0.2)


def test_figures_that_only_some_have_are_dashes(reader: Client, sample: Instance) -> None:
    opus, codex, mystery, sonnet, total = rows(page(reader))
    assert (opus["p95"], sonnet["p95"], codex["p95"], total["p95"]) == ("1 m 01 s", "2 m 01 s", "—", "2 m 01 s")
    assert (opus["speed"], sonnet["speed"], mystery["speed"]) == ("100.0", "50.0", "—")
    assert mystery["cost"] == "unpriced" and mystery["blended"] == "—" and codex["cost"].startswith("≥ $")
    assert opus["blended"] == "$1.50"  # 0.15 $ for 100,000 tokens


@pytest.mark.parametrize("sort", ["speed", "-speed"])
def test_what_has_no_figure_is_last_in_both_directions(reader: Client, sample: Instance, sort: str) -> None:
    names = [row["name"] for row in rows(page(reader, f"?sort={sort}"))]
    first = ["claude-opus-4-6", "claude-sonnet-4-5"]
    assert names[:2] == (first if sort == "-speed" else first[::-1])
    assert names[2:] == ["gpt-5-codex", "mystery-model", "Total"]
    assert f'aria-sort="{"descending" if sort == "-speed" else "ascending"}"' in page(reader, f"?sort={sort}")


def test_a_model_opens_by_channel(reader: Client, sample: Instance) -> None:
    html = page(reader, f"?open=model-{pk('claude-opus-4-6')}&range=24h")
    parts = [row for row in rows(html) if row["row"] == "part"]
    assert [(row["name"], row["requests"], row["p95"]) for row in parts] == [
        ("claude", "92", "1 m 01 s"), ("Unknown channel", "12", "1 m 01 s"),
    ]  # fmt: skip
    assert 'href="/channels/claude/?model=claude-opus-4-6&amp;range=24h"' in html
    assert 'aria-expanded="true"' in html and 'href="?range=24h#row-model' in html


def test_all_open_and_all_shut(reader: Client, sample: Instance) -> None:
    html = page(reader)
    address = re.findall(r'id="expand-all" href="\?([^"]*)"', html)[0].replace("&amp;", "&")
    html = page(reader, f"?{address}")
    assert html.count('aria-expanded="true"') == 4 and "Collapse all" in html


def test_unpriced_only(reader: Client, sample: Instance) -> None:
    html = page(reader, "?unpriced=1")
    assert [row["name"] for row in rows(html)] == ["gpt-5-codex", "mystery-model", "Total"]
    assert exact(html, "requests")[-1] == 60
    assert re.search(r'<a class="chip" href="\?"[^>]*>Unpriced only', html)
    assert "No requests match Unpriced only, Model: claude-opus-4-6" in text(
        page(reader, "?unpriced=1&model=claude-opus-4-6")
    ) or (
        "No requests match Model: claude-opus-4-6, Unpriced only"
        in text(page(reader, "?unpriced=1&model=claude-opus-4-6"))
    )


def test_only_staff_may_set_prices(reader: Client, sample: Instance, django_user_model: Any) -> None:
    assert "Set price" not in page(reader)
    reader.force_login(django_user_model.objects.create_user("boss", is_staff=True))
    html = page(reader)
    assert html.count("Set price") == 2 and 'href="/prices/add/?model=mystery-model"' in html


def test_names_that_clients_ask_for_are_shown_where_they_differ(reader: Client, sample: Instance) -> None:
    assert "requested as" not in page(reader)
    alias = ModelName.objects.create(name="best")
    UsageRecord.objects.filter(model__name="claude-opus-4-6").update(alias=alias)
    assert "2 channels · requested as best" in text(page(reader))


def test_columns_are_added_and_what_is_sorted_by_is_there(reader: Client, sample: Instance) -> None:
    assert "ttft" not in rows(page(reader))[0]
    opus = rows(page(reader, "?cols=ttft&cols=each&cols=nothing"))[0]
    assert (opus["ttft"], opus["each"]) == ("1.00 s", "$0.1500") or opus["ttft"] == "1.00 s"
    assert "size" in rows(page(reader, "?sort=-size"))[0]
    assert "written" not in rows(page(reader, "?cols=unclassified"))[0]  # zero throughout: unclassified


def test_the_bubbles_are_of_what_has_a_price_and_a_speed(reader: Client, sample: Instance) -> None:
    html = page(reader)
    assert re.findall(r"<circle[^>]*><title>([\w.-]+) ·", html) == ["claude-opus-4-6", "claude-sonnet-4-5"]
    below = text(html[html.index("Not drawn, because they have no price") :].partition("</details>")[0])
    assert below.endswith("no answer told their speed: gpt-5-codex") and "mystery-model" in below


def test_as_a_file(reader: Client, sample: Instance) -> None:
    content = b"".join(reader.get(f"/models/?format=csv&open=model-{pk('claude-opus-4-6')}")).decode()  # type: ignore[arg-type]
    lines = list(csv.DictReader(content[1:].splitlines()))
    assert [(line["name"], line["part_of"]) for line in lines[:3]] == [
        ("claude-opus-4-6", ""), ("claude", "claude-opus-4-6"), ("Unknown channel", "claude-opus-4-6"),
    ]  # fmt: skip
    assert lines[0]["latency_p95_ms"] == "61000" and lines[0]["tokens_per_second"] == "100.0"
    assert sum(int(line["total_tokens"]) for line in lines if not line["part_of"]) == 174 * sum(TOKENS)
    assert reader.get("/models/?format=json").json()["rows"][2]["est_cost_usd"] is None


def use_very_many_models() -> None:
    """220 more, each of one request."""
    row = UsageRecord.objects.filter(model__name="claude-sonnet-4-5").first()
    assert row
    names = ModelName.objects.bulk_create(ModelName(name=f"m-{number:03}") for number in range(220))
    copies = []
    for number, name in enumerate(names):
        copies.append(UsageRecord.objects.get(pk=row.pk))
        copies[-1].pk, copies[-1].dedup_key, copies[-1].model, copies[-1].alias = (
            None,
            f"m{number}".encode(),
            name,
            name,
        )
    UsageRecord.objects.bulk_create(copies)
    rollup.rebuild()


def test_the_bubbles_as_a_file_have_the_totals_of_the_page(reader: Client, sample: Instance) -> None:
    add_price("claude-opus-4-6", "2", "10")
    told = reader.get("/models/?format=json&section=chart").json()["rows"]
    table = {row["name"]: row for row in reader.get("/models/?cols=ttft&format=json").json()["rows"]}
    assert sum(row["total_tokens"] for row in told) == 174 * sum(TOKENS)
    for row in told:
        same = table[row.pop("model")]
        assert row == {name: same[name] for name in ("total_tokens", "tokens_per_second", "blended_usd_per_million_tokens")}  # fmt: skip
    use_very_many_models()
    many = reader.get("/models/?format=json&section=chart").json()["rows"]
    assert sum(row["total_tokens"] for row in many) == (174 + 220) * sum(TOKENS)


def test_names_that_are_formulas_stay_names(reader: Client, sample: Instance) -> None:
    ModelName.objects.filter(name="mystery-model").update(name="=1+1")
    content = b"".join(reader.get("/models/?format=csv")).decode()  # type: ignore[arg-type]
    assert "'=1+1" in content and "\n=1+1" not in content


def test_of_very_many_models_the_first_are_shown_and_the_others_added_up(reader: Client, sample: Instance) -> None:
    use_very_many_models()
    html = page(reader)
    found = rows(html)
    assert len(found) == 52 and found[-2]["name"] == "Other (174)"
    values = exact(html, "requests")
    assert sum(values[:-1]) == values[-1] == 394
    more = re.search(r'id="more-rows" href="([^"]*)"', html)
    assert more and more[1] == "?limit=500"
    whole = page(reader, f"{more[1]}&sort=name")
    assert len(rows(whole)) == 225 and "more-rows" not in whole
    assert sum(exact(whole, "requests")[:-1]) == 394
    assert 'id="sort-name" href="?limit=500&amp;sort=-name"' in whole
    assert len(b"".join(reader.get("/models/?format=csv")).splitlines()) == 225  # type: ignore[arg-type]


def test_bubbles_and_their_words_stay_within_the_plot() -> None:
    many = [Bubble(f"model-with-a-long-name-{n}", "f1", 10**n, 20.0 + 7 * n, 10.0 ** (n % 5 + 6)) for n in range(12)]
    chart = Bubbles(many)
    assert all(0 < one.x < 100 and 0 < one.y < 100 for one in chart.drawn)
    assert [one.radius for one in chart.drawn] == sorted((one.radius for one in chart.drawn), reverse=True)
    marks = [float(one.text) for one in chart.speeds]
    assert marks[0] <= 20 and marks[-1] >= 97 and len(chart.prices) >= 3
    assert all(left >= 0 and right <= 800 and 8 <= middle <= 252 for left, right, middle in words(chart))


def words(chart: Bubbles) -> list[tuple[float, float, float]]:
    """Where each label begins and ends, and its middle, in pixels of a plot that is 800 wide and 260 high."""
    found = []
    for label in chart.labels:
        at, length = label.x * 8 + label.shift, 7 * len(label.text)
        left = at - {"start": 0.0, "middle": length / 2, "end": float(length)}[label.anchor]
        found.append((left, left + length, label.y * 2.6))
    return found


def test_in_a_crowd_names_go_above_and_beneath_with_a_line_that_leads_to_them() -> None:
    crowd = [Bubble(f"model-{n}", "f1", 10**7 - n, 70.0 + n, 10.0**9 + 10**7 * n) for n in range(8)]
    chart = Bubbles([*crowd, Bubble("cheap", "f1", 5, 50.0, 10.0**4)])
    found = words(chart)
    assert len(found) == 8 and any(label.stem for label in chart.labels)
    for at, (left, right, middle) in enumerate(found):
        for other_left, other_right, other in found[:at]:
            assert right <= other_left or other_right <= left or abs(middle - other) >= 15.9


def test_one_bubble_and_none() -> None:
    one = Bubbles([Bubble("m", "f1", 5, 80.0, 2e9), Bubble("n", "f2", 5, None, 1e9), Bubble("o", "f2", 5, 80.0, None)])
    assert len(one.drawn) == 1 and 0 < one.drawn[0].x < 100 and one.prices
    assert [bubble.name for bubble in one.untimed] == ["n"] and [bubble.name for bubble in one.unpriced] == ["o"]
    assert Bubbles([]).drawn == []
