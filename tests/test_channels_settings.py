"""Channels as people want them: called, put in an order, given sources, and merged; no total changes by that."""

from __future__ import annotations

import re
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.factories import NOON, auth_file, auth_files, book, list_names, payload, record
from tests.pages import rows, text
from tests.sample_usage import make_sample_usage
from tests.test_style import DARK, LIGHT, contrast
from usage.collection.board import Board
from usage.collection.booker import Booker
from usage.ingest import rollup
from usage.ingest.assigning import HasPrices, assign, merge, take_back, undo
from usage.ingest.sources import heal
from usage.ingest.spool import Kind, Spool
from usage.models import (
    Account,
    Channel,
    ChannelMerge,
    ChannelName,
    Instance,
    ModelPrice,
    PriceMultiplier,
    Source,
    UsageDailyByChannel,
    UsageRecord,
)

pytestmark = pytest.mark.django_db
CHANNELS = "/settings/channels/"


@pytest.fixture
def sample(instance: Instance) -> Instance:
    make_sample_usage(instance, timezone.now())
    return instance


def html_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return str(answer.content.decode())


def saved(client: Client, address: str, data: dict[str, Any]) -> str:
    answer = client.post(address, data, follow=True)
    assert answer.status_code == 200, address
    return str(answer.content.decode())


def usage_by_channel(client: Client) -> tuple[dict[str, tuple[int, int, int]], tuple[int, int, int]]:
    """Return requests, tokens and cost by slug, and of all."""
    answer = client.get("/api/usage/?by=channel&range=all").json()

    def figures(usage: Any) -> tuple[int, int, int]:
        return usage["requests"], usage["tokens"]["total"], usage["cost"]["nanousd"]

    return {row["channel"]["id"]: figures(row["usage"]) for row in answer["rows"]}, figures(answer["total"])


def is_proven() -> bool:
    return not rollup.differences()


class TestNamesAndOrder:
    def test_a_name_is_shown_and_the_one_that_servers_list_still_means_it(
        self, staff: Client, sample: Instance
    ) -> None:
        claude = Channel.objects.get(name="claude")
        assert "1 channel changed." in saved(staff, CHANNELS, {f"name-{claude.pk}": " Claude (team) "})
        assert "Claude (team)" in html_of(staff, "/channels/")
        assert "listed as claude" in text(html_of(staff, CHANNELS))
        list_names(sample, auth_files=auth_files(auth_file("new", "claude", auth_index="new")))
        assert Account.objects.get(auth_index="new").channel == claude
        assert Channel.objects.filter(slug__startswith="claude").count() == 1

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("codex", "Two channels cannot both be called codex"),
            ("  ", "A channel needs a name: claude has none now."),
            ("x" * 101, "A name has at most 100 characters; this one has 101."),
        ],
    )
    def test_a_wrong_name_changes_nothing_and_is_shown_as_sent(
        self, staff: Client, sample: Instance, name: str, told: str
    ) -> None:
        claude = Channel.objects.get(name="claude")
        html = saved(staff, CHANNELS, {f"name-{claude.pk}": name, f"slot-{claude.pk}": "7"})
        assert told in text(html) and f'value="{name.strip()}"' in html
        claude.refresh_from_db()
        assert (claude.name, claude.color_slot) == ("claude", 2)

    def test_places_are_those_that_were_sent(self, staff: Client, sample: Instance) -> None:
        def order() -> list[str]:
            return list(Channel.objects.values_list("slug", flat=True))

        pks = dict(Channel.objects.values_list("slug", "pk"))
        assert order() == ["claude", "codex", "openrouter-ai-api-v1"]
        saved(staff, CHANNELS, {f"place-{pks['openrouter-ai-api-v1']}": "1"})
        assert order() == ["openrouter-ai-api-v1", "claude", "codex"]
        saved(staff, CHANNELS, {f"place-{pks['openrouter-ai-api-v1']}": "3"})
        assert order() == ["claude", "codex", "openrouter-ai-api-v1"]
        assert "0 channels changed." in saved(staff, CHANNELS, {f"place-{pks['codex']}": "two"})
        assert Channel.objects.create(name="aaa", kind="oauth").slug == order()[-1]

    def test_the_order_counts_at_equal_figures(self, staff: Client, instance: Instance) -> None:
        list_names(
            instance,
            auth_files=auth_files(auth_file("1", "claude", auth_index="1"), auth_file("2", "codex", auth_index="2")),
        )
        moment = timezone.now()
        book(instance, payload(moment, auth_index="1", provider="claude", tokens={"input_tokens": 7}),
             payload(moment, auth_index="2", provider="codex", tokens={"input_tokens": 7}))  # fmt: skip
        for first, second in (("claude", "codex"), ("codex", "claude")):
            Channel.objects.filter(slug=first).update(position=1)
            Channel.objects.filter(slug=second).update(position=2)
            html = html_of(staff, "/channels/")
            legend = re.findall(r'<ul class="legend.*?</ul>', html, re.S)[0]
            assert legend.index(first) < legend.index(second)
            menu = re.findall(r'name="channel" value="([\w-]+)"', html)
            assert menu == [first, second]

    def test_how_much_a_colour_stands_out_is_told(self, staff: Client, sample: Instance) -> None:
        """By the colours of the style sheet, measured by another hand."""
        html = text(html_of(staff, CHANNELS))
        for slot in range(1, 9):
            light, dark = (contrast(theme[f"c{slot}"], theme["surface"]) for theme in (LIGHT, DARK))
            found = re.search(rf"Colour {slot} [^C]*Contrast ([0-9.]+) : 1, in the dark ([0-9.]+) : 1", html)
            assert found and [float(one) for one in found.groups()] == [int(light * 10) / 10, int(dark * 10) / 10]

    def test_who_shares_a_colour_is_told(self, staff: Client, sample: Instance) -> None:
        assert "looks like" not in html_of(staff, CHANNELS)
        Channel.objects.update(color_slot=1, shape="circle")
        html = html_of(staff, CHANNELS)
        assert "looks like codex, https://openrouter.ai/api/v1" in text(html)
        assert 'title="Colour 1: claude, codex, https://openrouter.ai/api/v1"' in html


class TestAssigning:
    def unknown(self) -> Source:
        return Source.objects.get(label="sk-a...9f3c")

    def test_the_row_disappears_and_totals_stay(self, staff: Client, sample: Instance) -> None:
        source, codex = self.unknown(), Channel.objects.get(name="codex")
        before, whole = usage_by_channel(staff)
        html = html_of(staff, "/channels/?open=unknown")
        link = re.findall(rf'href="(/settings/sources/{source.pk}/assign/[^"]*)"', html)[0]
        page = text(html_of(staff, link.replace("&amp;", "&")))
        assert "Also for its 12 past records" in page
        html = saved(staff, link.replace("&amp;", "&"), {"channel": codex.pk, "next": "/channels/?open=unknown"})
        assert "is of codex now, with its 12 records." in text(html)
        assert "Unknown channel" not in [row["name"] for row in rows(html)]
        after, still = usage_by_channel(staff)
        assert still == whole and "unknown" not in after
        assert after["codex"] == tuple(a + b for a, b in zip(before["codex"], before["unknown"], strict=True))
        assert UsageDailyByChannel.objects.filter(channel_id=0).count() == 0 and is_proven()

    def test_a_channel_of_its_own(self, staff: Client, sample: Instance) -> None:
        address = f"/settings/sources/{self.unknown().pk}/assign/"
        assert "Choose a channel, or name a new one." in saved(staff, address, {"channel": "", "name": " "})
        router = Channel.objects.get(kind="api_key").name
        assert "choose it" in saved(staff, address, {"channel": "", "name": router.upper()})
        assert "0f1e2d is of Own key now" in text(saved(staff, address, {"channel": "", "name": "Own key"}))
        assert Channel.objects.get(name="Own key").kind == "api_key"
        assert usage_by_channel(staff)[0]["own-key"][0] == 12

    def test_lists_do_not_change_it_until_it_is_taken_back(self, staff: Client, sample: Instance) -> None:
        source, codex = self.unknown(), Channel.objects.get(name="codex")
        assign(source, codex)
        list_names(sample, auth_files=auth_files(auth_file("0f1e2d", "claude", auth_index="0f1e2d")))
        heal(sample)
        assert self.unknown().known_channel == codex
        html = html_of(staff, CHANNELS)
        assert "Sources assigned by hand" in html and "Unmatched sources" not in html
        html = saved(staff, f"/settings/sources/{source.pk}/take-back/", {"next": CHANNELS})
        assert "is of claude again." in text(html)
        assert self.unknown().account == Account.objects.get(auth_index="0f1e2d") and is_proven()

    def test_a_collector_that_knows_the_source_books_on_with_the_new_channels_prices(self, instance: Instance) -> None:
        """What it knew of sources is old when people say something of them."""
        booker = Booker(Board())

        def come(number: int) -> UsageRecord:
            sent = record(NOON, request_id=str(number), auth_index="x", provider="mine")
            Spool(instance.pk).keep(Kind.QUEUE, b"[" + sent + b"]")
            booker.book(instance.pk)
            return UsageRecord.objects.get(request_id=str(number))

        ModelPrice.objects.create(pattern="*", input=1, output=1)
        channel = Channel.objects.create(name="mine", kind="api_key")
        PriceMultiplier.objects.create(channel=channel, factor="0.5")
        first = come(1)
        assign(first.source, channel)
        second = come(2)
        assert first.cost_nanousd == 120_000 and second.cost_nanousd == 60_000

    def test_what_a_list_decides_cannot_be_assigned(self, staff: Client, sample: Instance) -> None:
        known = Source.objects.exclude(account=None).earliest("pk")
        assert staff.get(f"/settings/sources/{known.pk}/assign/").status_code == 404
        assert staff.post(f"/settings/sources/{known.pk}/take-back/").status_code == 404

    def test_readers_see_no_link_and_may_not(self, reader: Client, sample: Instance) -> None:
        pk, codex = self.unknown().pk, Channel.objects.get(name="codex")
        assert "/assign/" not in html_of(reader, "/channels/?open=unknown") + html_of(reader, "/collector/")
        for path in (
            f"/settings/sources/{pk}/assign/",
            f"/settings/sources/{pk}/take-back/",
            f"{CHANNELS}{codex.pk}/merge/",
        ):
            assert reader.post(path, {"channel": codex.pk, "into": codex.pk}).status_code == 403
        assert self.unknown().known_channel is None


class TestMatching:
    """The test box says what a record would be of: checked against a record that comes."""

    ADDRESS = f"{CHANNELS}matching/"

    def asked(self, staff: Client, instance: Instance, **words: str) -> str:
        return str(staff.post(self.ADDRESS, {"server": instance.pk} | words).content.decode())

    def answer(self, html: str) -> tuple[str, list[str]]:
        """What it says, and the rules that win."""
        title = re.search(r'<h2 id="answer-title".*?</h2>', html, re.DOTALL)
        assert title
        rows = re.findall(r"<tr>(.*?)</tr>", html[title.end() :], re.DOTALL)
        return text(title[0]).strip(), [
            text(row).split()[1] for row in rows if ">wins<" in re.sub(r"\s|<svg.*?</svg>", "", row)
        ]

    @pytest.fixture
    def listed(self, instance: Instance) -> Instance:
        """Two logins of one e-mail in one channel, one in another, and a key that two channels have."""
        list_names(
            instance,
            auth_files=auth_files(
                auth_file("a.json", "codex", email="ann@example.com", auth_index="one"),
                auth_file("b.json", "codex", email="ann@example.com", auth_index="two"),
                auth_file("c.json", "claude", email="ben@example.com", auth_index="three"),
                auth_file("d.json", "claude", email="both@example.com", auth_index="four"),
                auth_file("e.json", "kimi", email="both@example.com", auth_index="five"),
            ),
        )
        return instance

    @pytest.mark.parametrize(
        ("words", "channel", "rule", "reason"),
        [
            ({"auth_index": "one"}, "codex · ann@example.com", "auth", "the only account that fits"),
            ({"source": "ben@example.com"}, "claude · ben@example.com", "source", "the only account that fits"),
            ({"source": "ann@example.com"}, "codex", "source", "the account is not"),
            (
                {"source": "both@example.com", "provider": "kimi"},
                "kimi · both@example.com",
                "source",
                "of this provider",
            ),
            ({"source": "both@example.com"}, "Unknown channel", "", "Accounts of several channels fit"),
            ({"auth_index": "gone", "source": "ben@example.com"}, "claude · ben@example.com", "source", "No account"),
            ({"auth_index": "gone"}, "Unknown channel", "", "No account of the server fits"),
            (
                {"auth_index": "three", "source": "ann@example.com"},
                "claude · ben@example.com",
                "auth",
                "Not asked any more",
            ),
        ],
    )
    def test_it_says_which_rule_wins_and_why(
        self, staff: Client, listed: Instance, words: dict[str, str], channel: str, rule: str, reason: str
    ) -> None:
        html = self.asked(staff, listed, **words)
        said, winners = self.answer(html)
        assert said.startswith(channel) and winners == ([rule] if rule else [])
        assert reason in text(html)
        fields = {
            "auth_index": words.get("auth_index", ""),
            "source": words.get("source", ""),
            "provider": words.get("provider", ""),
        }
        book(listed, payload(**fields))
        known = Source.objects.get().known_channel
        assert said.partition(" · ")[0] == (known.name if known else "Unknown channel")

    def test_what_somebody_said_comes_first(self, staff: Client, listed: Instance) -> None:
        book(listed, payload(auth_index="x", source="forgotten@example.com", provider="claude"))
        assign(Source.objects.get(), Channel.objects.get(name="codex"))
        html = self.asked(staff, listed, auth_index="x", source="forgotten@example.com", provider="claude")
        assert self.answer(html)[0] == "codex" and "Somebody said so" in text(html)

    def test_a_base_url_is_of_the_channel_of_what_is_listed_with_it(self, staff: Client, instance: Instance) -> None:
        def compatible(name: str, url: str, *keys: str) -> dict[str, Any]:
            return {"name": name, "base-url": url, "api-key-entries": [{"api-key": key} for key in keys]}

        entries = [
            compatible("House", "https://house.example/v1/", "FAKE-key-1", "FAKE-key-2"),
            compatible("One", "https://shared.example", "FAKE-key-3"),
            compatible("Two", "https://shared.example", "FAKE-key-4"),
        ]
        nameless = {"codex-api-key": [{"api-key": "FAKE-key-5", "base-url": "https://me:FAKE-pw@nameless.example/v1"}]}
        list_names(instance, codex_api_key=nameless, openai_compatibility={"openai-compatibility": entries})
        for asked, channel, reason in (
            ("https://house.example/v1", "House", "the account is not"),
            (" https://me:FAKE-pw@nameless.example/v1/ ", "https://nameless.example/v1", "the only account"),
            ("https://shared.example", "Unknown channel", "Accounts of several channels fit"),
            ("https://nobody.example", "Unknown channel", "The server lists no account with it"),
        ):
            html = self.asked(staff, instance, base_url=asked)
            said, winners = self.answer(html)
            assert said.startswith(channel) and winners == (["base"] if channel != "Unknown channel" else [])
            assert reason in text(html) and "FAKE-" not in html
        html = self.asked(staff, instance, base_url="https://house.example/v1", source="FAKE-key-3")
        assert self.answer(html)[0].startswith("One") and "a rule before it decides" in text(html)

    def test_a_source_is_not_shown_again(self, staff: Client, listed: Instance) -> None:
        assert "sk-FAKE-secret-key" not in self.asked(staff, listed, source="sk-FAKE-secret-key-0001")
        assert "Give an auth index, a source or a base URL" in self.asked(staff, listed, provider="codex")

    def test_readers_may_not(self, reader: Client) -> None:
        assert reader.get(self.ADDRESS).status_code == 403


class TestMerging:
    def test_all_goes_along_and_totals_stay(self, staff: Client, sample: Instance) -> None:
        claude, codex = (Channel.objects.get(name=name) for name in ("claude", "codex"))
        assign(Source.objects.get(label="sk-a...9f3c"), codex)
        before, whole = usage_by_channel(staff)
        page = text(html_of(staff, f"{CHANNELS}{codex.pk}/merge/?into={claude.pk}"))
        assert "52 records of codex go along. So does 1 account." in page
        html = saved(staff, f"{CHANNELS}{codex.pk}/merge/", {"into": claude.pk})
        assert "codex is part of claude now, with its 52 records." in text(html)
        after, still = usage_by_channel(staff)
        assert still == whole and set(after) == set(before) - {"codex"}
        assert after["claude"] == tuple(a + b for a, b in zip(before["claude"], before["codex"], strict=True))
        assert is_proven() and not UsageDailyByChannel.objects.filter(channel_id=codex.pk).exists()

    def test_what_servers_list_under_its_name_comes_to_the_other(self, sample: Instance) -> None:
        claude, codex = (Channel.objects.get(name=name) for name in ("claude", "codex"))
        merge(codex, claude)
        list_names(sample, auth_files=auth_files(auth_file("new", "codex", auth_index="new")))
        assert Account.objects.get(auth_index="new").channel == claude
        assert not Channel.objects.filter(name="codex").exists()

    def test_addresses_that_ask_for_it_lead_to_the_other(self, staff: Client, sample: Instance) -> None:
        claude, codex, router = Channel.objects.order_by("slug")
        merge(router, codex)
        merge(codex, claude)
        assert ChannelName.objects.filter(channel=claude).count() == 3
        html = html_of(staff, "/channels/?channel=openrouter-ai-api-v1")
        assert rows(html)[0]["name"] == "claude" and "is ignored" not in html
        assert 'href="?channel=claude' in html and "openrouter-ai" not in text(html)
        assert "claude" in text(html_of(staff, "/channels/codex/"))
        assert staff.get("/api/usage/?channel=codex&range=all").json()["total"]["requests"] == 162

    def test_with_prices_of_its_own_it_stays(self, staff: Client, sample: Instance) -> None:
        claude, codex = (Channel.objects.get(name=name) for name in ("claude", "codex"))
        PriceMultiplier.objects.create(channel=codex, factor="0.3")
        with pytest.raises(HasPrices):
            merge(codex, claude)
        html = saved(staff, f"{CHANNELS}{codex.pk}/merge/", {"into": claude.pk})
        assert "codex has prices of its own (0) or multipliers (1)" in text(html)
        assert Channel.objects.filter(pk=codex.pk).exists()
        merge(claude, codex)  # its multiplier counts for those that come to it: the page says whose it is

    def test_undone_all_is_as_before(self, staff: Client, sample: Instance) -> None:
        claude, codex = (Channel.objects.get(name=name) for name in ("claude", "codex"))
        assign(Source.objects.get(label="sk-a...9f3c"), codex)
        Channel.objects.filter(pk=codex.pk).update(name="Codex pool", color_slot=5, shape="diamond", position=3)
        look = Channel.objects.values_list("name", "kind", "slug", "color_slot", "shape", "position").get(pk=codex.pk)
        before, whole = usage_by_channel(staff)
        saved(staff, f"{CHANNELS}{codex.pk}/merge/", {"into": claude.pk})
        list_names(sample, auth_files=auth_files(auth_file("new", "codex", auth_index="new")))
        (merged,) = ChannelMerge.objects.all()
        page = text(html_of(staff, CHANNELS))
        assert "Merged channels" in page and "Codex pool claude" in page
        html = saved(staff, f"{CHANNELS}merges/{merged.pk}/undo/", {})
        assert "Codex pool is a channel of its own again, with its 52 records; it was part of claude." in text(html)
        assert usage_by_channel(staff) == (before, whole) and is_proven()
        again = Channel.objects.get(slug="codex")
        assert (
            Channel.objects.values_list("name", "kind", "slug", "color_slot", "shape", "position").get(pk=again.pk)
            == look
        )
        assert ChannelName.objects.get(name="codex").channel == again
        assert not ChannelName.objects.exclude(former_slug="").exists() and not ChannelMerge.objects.exists()
        list_names(sample, auth_files=auth_files(auth_file("new", "codex", auth_index="new")))
        assert Account.objects.get(auth_index="new").channel == again  # which came while the two were one

    @pytest.mark.parametrize("first", [0, 1])
    def test_one_merged_into_one_that_was_merged_comes_out_in_any_order(
        self, staff: Client, sample: Instance, first: int
    ) -> None:
        claude, codex, router = Channel.objects.order_by("slug")
        before = usage_by_channel(staff)
        merge(router, codex)
        merge(codex, claude)
        merges = [ChannelMerge.objects.get(slug=one.slug) for one in (router, codex)]
        assert [one.into for one in merges] == [claude, claude]
        undo(merges[first])
        other = ChannelMerge.objects.get()
        assert other.into.slug == ("claude" if first == 0 else "codex")
        undo(other)
        assert usage_by_channel(staff) == before and is_proven()
        assert set(Channel.objects.values_list("slug", flat=True)) == {one.slug for one in (claude, codex, router)}

    def test_what_has_left_meanwhile_stays_where_it_is(self, sample: Instance) -> None:
        claude, codex, router = Channel.objects.order_by("slug")
        account = Account.objects.get(channel=codex)
        merge(codex, claude)
        Account.objects.filter(pk=account.pk).update(channel=router)
        undo(ChannelMerge.objects.get())
        assert Account.objects.get(pk=account.pk).channel == router

    def test_a_new_channel_may_have_taken_its_address(self, sample: Instance) -> None:
        claude, codex = (Channel.objects.get(name=name) for name in ("claude", "codex"))
        merge(codex, claude)
        Channel.objects.create(kind="api_key", name="codex")
        assert undo(ChannelMerge.objects.get()).slug == "codex-2"

    def test_readers_undo_nothing(self, reader: Client, sample: Instance) -> None:
        claude, codex = (Channel.objects.get(name=name) for name in ("claude", "codex"))
        merge(codex, claude)
        assert reader.post(f"{CHANNELS}merges/{ChannelMerge.objects.get().pk}/undo/").status_code == 403

    def test_not_into_itself(self, staff: Client, sample: Instance) -> None:
        claude = Channel.objects.get(name="claude")
        with pytest.raises(ValueError, match="itself"):
            merge(claude, claude)
        assert "valid choice" in saved(staff, f"{CHANNELS}{claude.pk}/merge/", {"into": claude.pk})

    def test_taken_back_after_a_merge_is_what_lists_say(self, sample: Instance) -> None:
        source, claude, codex = (
            Source.objects.get(label="sk-a...9f3c"),
            *(Channel.objects.get(name=name) for name in ("claude", "codex")),
        )
        assign(source, codex)
        merge(codex, claude)
        source.refresh_from_db()
        assert source.known_channel == claude
        take_back(source)
        source.refresh_from_db()
        assert source.known_channel is None and is_proven()


class TestAdmin:
    def test_merge_is_asked_on_its_page(self, client: Client, sample: Instance) -> None:
        client.force_login(get_user_model().objects.create_superuser("root"))
        claude, codex, router = Channel.objects.order_by("slug")

        def chosen(*channels: Channel) -> Any:
            data = {"action": "merge", "_selected_action": [channel.pk for channel in channels]}
            return client.post("/admin/usage/channel/", data)

        assert chosen(claude, codex)["Location"] == f"{CHANNELS}{claude.pk}/merge/?into={codex.pk}"
        assert chosen(router)["Location"] == f"{CHANNELS}{router.pk}/merge/"
        assert "Choose one or two" in client.get(chosen(claude, codex, router)["Location"]).content.decode()

    def test_match_again(self, client: Client, sample: Instance) -> None:
        client.force_login(get_user_model().objects.create_superuser("root"))
        list_names(sample, auth_files=auth_files(auth_file("0f1e2d", "claude", auth_index="0f1e2d")))
        pk = Channel.objects.earliest("pk").pk
        html = saved(client, "/admin/usage/channel/", {"action": "match_again", "_selected_action": [pk]})
        assert "1 sources matched, with 12 records." in html


def test_a_database_of_before_knows_its_channels_by_their_names(sample: Instance) -> None:
    """The migration gives each channel the name that it had."""
    from importlib import import_module

    ChannelName.objects.all().delete()
    migration = import_module("usage.migrations.0024_channel_names").Migration
    with connection.cursor() as cursor:
        cursor.execute(migration.operations[-1].sql)
    assert set(ChannelName.objects.values_list("channel__name", "name", "kind")) == {
        (channel.name, channel.name, channel.kind) for channel in Channel.objects.all()
    }


@pytest.mark.django_db(transaction=True)
def test_who_books_meanwhile_loses_nothing(instance: Instance) -> None:
    """Records of sources that are new, and of some that go to and fro, while channels merge."""
    listed = [auth_file(name, provider, auth_index=name) for name, provider in (("1", "claude"), ("2", "codex"))]
    list_names(instance, auth_files=auth_files(*listed))
    book(instance, payload(auth_index="x", provider="mine", request_id="first"))
    source = Source.objects.get(auth_index="x")
    problems: list[BaseException] = []

    def keep_booking() -> None:
        try:
            for number in range(12):
                book(instance, *(
                    payload(NOON + timedelta(seconds=number), auth_index=index, provider="codex", request_id=f"{number}-{index}")
                    for index in ("1", "2", "x", f"new-{number}")
                ))  # fmt: skip
        except BaseException as error:
            problems.append(error)
        finally:
            connection.close()

    booking = Thread(target=keep_booking)
    booking.start()
    number = 0
    while booking.is_alive() or number < 3:
        other = Channel.objects.create(name=f"other {number}", kind="api_key")
        assign(source, other)
        merge(other, Channel.objects.get(name="claude"))
        take_back(source)
        number += 1
    booking.join()
    assert problems == [] and UsageRecord.objects.count() == 1 + 12 * 4
    assert Channel.objects.count() == 2 and is_proven()
