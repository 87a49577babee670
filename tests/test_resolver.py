"""Which channel and account a record means, and that what was once known of them is never lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.factories import (
    CLIENT_KEY,
    NOON,
    auth_file,
    auth_files,
    book,
    detail,
    legacy_payload,
    list_names,
    payload,
    sample,
    sums_of,
)
from usage.accounting.resolver import unknown_channel
from usage.accounting.tokens import Family
from usage.ingest import rollup
from usage.ingest.accounts import server_mask
from usage.ingest.ledger import Ledger
from usage.ingest.sources import Sources, family_of_record, heal
from usage.models import Account, Channel, Instance, Source, UsageRecord

Match = Source.Match
DAVE, CAROL = "dave@example.com", "carol@example.com"
KEYS = [f"sk-FAKE-upstream-000000000000000{number}" for number in range(4)]
LATER = NOON + timedelta(minutes=1)


def codex(index: Any, name: str = "codex-dave.json", email: str = DAVE, **fields: Any) -> dict[str, Any]:
    return auth_file(name, "codex", email=email, label=email, auth_index=index, **fields)


def key_list(name: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {name: {name.replace("_", "-"): list(entries)}}


def compat(name: str, *keys: tuple[str, str], base_url: str = "https://relay.example/v1") -> dict[str, Any]:
    entries = [{"api-key": key, "auth-index": index} for key, index in keys]
    return {"name": name, "base-url": base_url, "api-key-entries": entries}


def compats(*entries: dict[str, Any]) -> dict[str, Any]:
    return key_list("openai_compatibility", *entries)


def only(**fields: Any) -> Source:
    return Source.objects.select_related("channel", "account__channel").get(**fields)


def meaning(source: Source) -> tuple[str, str | None, str | None]:
    """Match, channel and account in words."""
    channel = source.known_channel
    return source.match, channel and channel.name, str(source.account) if source.account else None


def shown(instance: Instance, **fields: Any) -> tuple[str, str | None, str | None]:
    """Book one record that shows `fields`, and return what it means."""
    at = NOON + timedelta(seconds=UsageRecord.objects.count())
    read = payload(at, **fields)
    book(instance, read)
    return meaning(UsageRecord.objects.get(dedup_key=read.dedup_key).source)


def requests_by_account() -> dict[str, int]:
    found: dict[str, int] = {}
    for record in UsageRecord.objects.select_related("source__account"):
        account = str(record.source.account) if record.source.account else "?"
        found[account] = found.get(account, 0) + 1
    return found


class TestAuthIndex:
    def test_file_names_the_channel_whatever_the_record_calls_its_provider(self, instance: Instance) -> None:
        list_names(instance, auth_files=auth_files(auth_file("kimi-1.json", "kimi", auth_index="aa")))
        found = shown(instance, provider="claude", auth_index="aa", source=CLIENT_KEY)
        assert found == (Match.AUTH_INDEX, "kimi", "kimi-1.json")

    def test_index_counts_more_than_a_source_that_says_otherwise(self, instance: Instance) -> None:
        list_names(instance, auth_files=auth_files(codex("aa"), codex("bb", "codex-carol.json", CAROL)))
        assert shown(instance, auth_index="bb", source=DAVE) == (Match.AUTH_INDEX, "codex", CAROL)

    def test_file_comes_before_a_key_of_the_same_index(self, instance: Instance) -> None:
        keys = key_list("codex_api_key", {"api-key": KEYS[0], "auth-index": "aa"})
        list_names(instance, auth_files=auth_files(codex("aa")), **keys)
        assert shown(instance, auth_index="aa", source=KEYS[0]) == (Match.AUTH_INDEX, "codex", DAVE)

    @pytest.mark.parametrize("prefix", ["", "openai-compatible-"])
    def test_shared_index_goes_to_the_entry_whose_name_the_record_bears(self, instance: Instance, prefix: str) -> None:
        """Entries of one base URL and key have one index."""
        entries = [compat("East", (KEYS[0], "aa")), compat("West", (KEYS[0], "aa"))]
        list_names(instance, **compats(*entries))
        for name in ("East", "West"):
            found = shown(instance, auth_index="aa", provider=prefix + name.lower(), source=KEYS[0])
            assert found == (Match.AUTH_INDEX, name, "sk-F...0000")

    def test_shared_index_of_one_files_projects_is_told_apart_by_source(self, instance: Instance) -> None:
        names = ["gemini-erin.json::one", "gemini-erin.json::two"]
        files = [
            auth_file(name, "gemini-cli", email="erin@example.com", project_id=name[-3:], auth_index="aa")
            for name in names
        ]
        list_names(instance, auth_files=auth_files(*files))
        for name in names:
            found = shown(instance, auth_index="aa", provider="gemini-cli", source=name)
            assert found == (Match.AUTH_INDEX, "gemini-cli", f"erin@example.com ({name[-3:]})")

    def test_shared_index_that_nothing_tells_apart_leaves_the_account_open_and_the_channel_sure(
        self, instance: Instance
    ) -> None:
        files = [codex("aa", f"codex-{name}.json", f"{name}@example.com") for name in ("x", "y")]
        list_names(instance, auth_files=auth_files(*files))
        assert shown(instance, auth_index="aa") == (Match.AUTH_INDEX, "codex", None)

    def test_servers_do_not_share_indexes_and_do_share_channels(self, instance: Instance) -> None:
        other = Instance(name="Other", base_url="http://127.0.0.1:10")
        other.management_key = "other-FAKE"
        other.save()
        list_names(instance, auth_files=auth_files(codex("aa")))
        list_names(other, auth_files=auth_files(codex("aa", email=CAROL)))
        assert shown(instance, auth_index="aa") == (Match.AUTH_INDEX, "codex", DAVE)
        assert shown(other, auth_index="aa") == (Match.AUTH_INDEX, "codex", CAROL)
        assert Channel.objects.count() == 1


class TestSource:
    @pytest.mark.parametrize(
        ("entry", "channel"),
        [({"base-url": "https://relay.example/claude"}, "https://relay.example/claude"), ({"base-url": ""}, "claude"), ({}, "claude")],
    )  # fmt: skip
    def test_key_names_its_base_url_or_its_provider(
        self, instance: Instance, entry: dict[str, str], channel: str
    ) -> None:
        list_names(instance, **key_list("claude_api_key", {"api-key": KEYS[0]} | entry))
        assert shown(instance, provider="claude", source=f" {KEYS[0]} ") == (Match.SOURCE, channel, "sk-F...0000")

    @pytest.mark.parametrize("source", [DAVE, "codex-dave.json", "dave-project"])
    def test_file_is_known_by_its_mail_name_or_project(self, instance: Instance, source: str) -> None:
        list_names(instance, auth_files=auth_files(codex("aa", project_id="dave-project")))
        assert shown(instance, source=source) == (Match.SOURCE, "codex", DAVE)

    def test_mail_of_several_files_leaves_the_account_open(self, instance: Instance) -> None:
        files = [codex(name, f"codex-{name}.json", id_token={"plan_type": name}) for name in ("plus", "team")]
        list_names(instance, auth_files=auth_files(*files))
        assert shown(instance, source=DAVE) == (Match.SOURCE, "codex", None)
        assert shown(instance, source=DAVE, auth_index="team") == (Match.AUTH_INDEX, "codex", f"{DAVE} (team)")

    def test_mail_of_two_providers_is_told_apart_by_the_records(self, instance: Instance) -> None:
        list_names(instance, auth_files=auth_files(codex("aa"), auth_file("claude-dave.json", "claude", email=DAVE)))
        assert shown(instance, source=DAVE, provider="claude") == (Match.SOURCE, "claude", DAVE)
        assert shown(instance, source=DAVE, provider="codex") == (Match.SOURCE, "codex", DAVE)
        assert shown(instance, source=DAVE, provider="") == (Match.UNKNOWN, None, None)

    def test_clients_own_key_names_no_channel(self, instance: Instance) -> None:
        """Not even where someone uses one key on both sides."""
        list_names(instance, **key_list("codex_api_key", {"api-key": CLIENT_KEY}))
        assert shown(instance, source=CLIENT_KEY) == (Match.UNKNOWN, None, None)
        assert shown(instance, source=CLIENT_KEY, api_key="other") == (Match.SOURCE, "codex", "sk-t...0001")

    def test_key_without_a_name_or_an_index_is_no_match(self, instance: Instance) -> None:
        list_names(instance, **compats({"name": "local", "base-url": "http://x"}))
        assert shown(instance, provider="local") == (Match.UNKNOWN, None, None)

    @pytest.mark.parametrize("source", [DAVE, KEYS[0]])
    def test_masked_source_of_v6_3_35_is_found_by_masking_the_lists(self, instance: Instance, source: str) -> None:
        list_names(
            instance,
            auth_files=auth_files(auth_file("codex-dave.json", "codex", email=DAVE)),
            **key_list("codex_api_key", {"api-key": KEYS[0]}),
        )
        match, channel, _ = shown(instance, source=server_mask(source))
        assert (match, channel) == (Match.SOURCE, "codex")
        assert only(match=Match.SOURCE).label == server_mask(source)

    @pytest.mark.parametrize(
        ("text", "masked"),
        [("dave@example.com", "dave....com"), ("12345678", "12...78"), ("12345", "12...45"), ("1234", "1...4"), ("123", "1...3")],
    )  # fmt: skip
    def test_server_mask_is_that_of_the_contract(self, text: str, masked: str) -> None:
        assert server_mask(text) == masked

    def test_keys_that_two_lists_of_old_servers_repeat_are_one_account(self, instance: Instance) -> None:
        """From v6.3.2 to v6.5.38 the list of v6.0 mirrored that of gemini keys."""
        old, new = sample("key_list_generative_language_api_key_v6_0"), sample("key_list_gemini_api_key")
        list_names(instance, generative_language_api_key=old)
        key = new["gemini-api-key"][0]["api-key"]
        assert shown(instance, provider="gemini", source=key) == (Match.SOURCE, "gemini", "AIza...0001")
        plain = [{"api-key": entry["api-key"]} for entry in new["gemini-api-key"]]
        list_names(instance, generative_language_api_key=old, gemini_api_key={"gemini-api-key": plain})
        assert shown(instance, provider="gemini", source=key, request_id="2") == (Match.SOURCE, "gemini", "AIza...0001")
        list_names(instance, gemini_api_key={"gemini-api-key": plain})
        assert requests_by_account() == {"AIza...0001": 2}
        assert Account.objects.count() == 2


class TestUnknown:
    @pytest.mark.parametrize(
        ("provider", "channel"),
        [("openai-compatible-oldrelay", "oldrelay"), ("openrouter", "openrouter"), ("", "unknown")],
    )
    def test_channel_is_what_the_record_itself_tells(self, provider: str, channel: str) -> None:
        assert unknown_channel(provider) == channel

    @pytest.mark.parametrize(
        ("source", "label"),
        [(DAVE, DAVE), ("gemini-erin.json", "gemini-erin.json"), (KEYS[0], "sk-F...0000"), ("aistudio-1", "••••"), (CLIENT_KEY, ""), ("", "")],
    )  # fmt: skip
    def test_label_shows_people_and_files_and_masks_keys(self, instance: Instance, source: str, label: str) -> None:
        assert shown(instance, source=source) == (Match.UNKNOWN, None, None)
        assert only().label == label

    def test_ledger_tells_that_it_met_something_unknown(self, instance: Instance) -> None:
        list_names(instance, auth_files=auth_files(codex("aa")))
        ledger = Ledger(instance)
        ledger.book([payload(auth_index="aa")], ())
        assert not ledger.met_unknown
        ledger.book([payload(auth_index="bb")], ())
        assert ledger.met_unknown


class TestHistory:
    def test_file_renamed_upstream_keeps_its_account(self, instance: Instance) -> None:
        """Codex puts the plan into the file's name, which changes name and index at once."""
        list_names(instance, auth_files=auth_files(codex("aa", "codex-dave-plus.json", id_token={"plan_type": "plus"})))
        account = Account.objects.get()
        shown(instance, auth_index="aa", source=DAVE)
        list_names(instance, auth_files=auth_files(codex("bb", "codex-dave-team.json", id_token={"plan_type": "team"})))
        assert Account.objects.get().pk == account.pk
        assert Account.objects.get().state == Account.State.ACTIVE
        shown(instance, auth_index="bb", source=DAVE)
        shown(instance, auth_index="aa", source=DAVE, request_id="late")
        assert requests_by_account() == {DAVE: 3}

    def test_second_login_of_one_mail_is_another_account(self, instance: Instance) -> None:
        plus, team = (codex(name, f"codex-{name}.json", id_token={"plan_type": name}) for name in ("plus", "team"))
        list_names(instance, auth_files=auth_files(plus))
        shown(instance, auth_index="plus", source=DAVE)
        list_names(instance, auth_files=auth_files(plus, team))
        shown(instance, auth_index="team", source=DAVE)
        assert requests_by_account() == {f"{DAVE} (plus)": 1, f"{DAVE} (team)": 1}
        list_names(instance, auth_files=auth_files(team))
        assert set(Account.objects.values_list("file_name", "state")) == {
            ("codex-plus.json", "removed"),
            ("codex-team.json", "active"),
        }

    def test_second_login_that_was_used_before_it_was_listed_is_named_when_it_is(self, instance: Instance) -> None:
        """Until then its mail says that it is the first, since that was the only one."""
        plus, team = (codex(name, f"codex-{name}.json", id_token={"plan_type": name}) for name in ("plus", "team"))
        list_names(instance, auth_files=auth_files(plus))
        assert shown(instance, auth_index="team", source=DAVE)[0] == Match.SOURCE
        list_names(instance, auth_files=auth_files(plus, team))
        assert heal(instance) == (1, 1)
        shown(instance, auth_index="team", source=DAVE)
        assert requests_by_account() == {f"{DAVE} (team)": 2}

    def test_what_its_source_named_stays_when_that_becomes_ambiguous(self, instance: Instance) -> None:
        list_names(instance, auth_files=auth_files(codex("plus", "codex-plus.json")))
        shown(instance, source=DAVE)
        list_names(instance, auth_files=auth_files(codex("plus", "codex-plus.json"), codex("team", "codex-team.json")))
        assert heal(instance) == (0, 0)
        assert len(requests_by_account()) == 1
        assert "?" not in requests_by_account()

    def test_renamed_provider_takes_its_past_along(self, instance: Instance) -> None:
        list_names(instance, **compats(compat("OldName", (KEYS[0], "aa"))))
        shown(instance, auth_index="aa", provider="openai-compatible-oldname")
        list_names(instance, **compats(compat("NewName", (KEYS[0], "aa"))))
        shown(instance, auth_index="aa", provider="openai-compatible-newname")
        assert Account.objects.count() == 1
        channels = [record.source.known_channel.name for record in UsageRecord.objects.all()]  # type: ignore[union-attr]
        assert channels == ["NewName", "NewName"]

    def test_removed_key_keeps_its_records_and_still_names_late_ones(self, instance: Instance) -> None:
        list_names(instance, **key_list("codex_api_key", {"api-key": KEYS[0], "auth-index": "aa"}))
        shown(instance, auth_index="aa")
        list_names(instance, **key_list("codex_api_key"))
        assert Account.objects.get().state == Account.State.REMOVED
        assert shown(instance, auth_index="aa", source=KEYS[0]) == (Match.AUTH_INDEX, "codex", "sk-F...0000")
        assert shown(instance, source=KEYS[0]) == (Match.SOURCE, "codex", "sk-F...0000")
        list_names(instance, **key_list("codex_api_key", {"api-key": KEYS[0], "auth-index": "aa"}))
        assert Account.objects.get().state == Account.State.ACTIVE

    def test_what_is_listed_counts_more_than_what_was_removed(self, instance: Instance) -> None:
        """Two logins of one mail; one is gone: who is meant by the mail alone is now plain."""
        gone, stays = codex("plus", "codex-plus.json"), codex("team", "codex-team.json")
        list_names(instance, auth_files=auth_files(gone, stays))
        list_names(instance, auth_files=auth_files(stays))
        shown(instance, source=DAVE)
        assert Account.objects.get(sources__isnull=False).file_name == "codex-team.json"

    def test_entry_that_is_switched_off_keeps_the_index_it_had(self, instance: Instance) -> None:
        entry = compat("Relay", (KEYS[0], "aa"))
        list_names(instance, **compats(entry))
        off = entry | {"disabled": True, "api-key-entries": [{"api-key": KEYS[0]}]}
        list_names(instance, **compats(off))
        assert Account.objects.get().state == Account.State.DISABLED
        assert shown(instance, auth_index="aa") == (Match.AUTH_INDEX, "Relay", "sk-F...0000")

    def test_same_list_again_changes_nothing(self, instance: Instance) -> None:
        entries = {
            "auth_files": sample("auth_files_v7"),
            "gemini_api_key": sample("key_list_gemini_api_key"),
            "openai_compatibility": sample("key_list_openai_compatibility"),
        }
        list_names(instance, **entries)
        before = list(Account.objects.order_by("pk").values())
        list_names(instance, **entries)
        assert list(Account.objects.order_by("pk").values()) == before

    @pytest.mark.parametrize(
        "answer", [None, {}, {"files": None}, {"files": [None, 3, "x", {}, {"name": "only.json"}]}, [], "x"]
    )
    def test_answer_of_a_shape_that_no_version_has_lists_nothing(self, instance: Instance, answer: Any) -> None:
        list_names(
            instance, auth_files=answer, claude_api_key={"claude-api-key": [None, 4, {"api-key": None}, {"api-key": 5}]}
        )
        assert not Account.objects.exists()

    def test_names_too_long_or_with_a_nul_are_kept_as_far_as_they_go(self, instance: Instance) -> None:
        """PostgreSQL refuses both; one odd name must not keep all others from being learnt."""
        odd = auth_file(
            "x\0" + "y" * 400 + ".json", "p\0" + "q" * 200, email="z" * 400, project_id="r" * 400, auth_index="s" * 400
        )
        keys = key_list(
            "codex_api_key", {"api-key": "t\0" + "u" * 400, "base-url": "https://" + "v" * 400, "auth-index": "w" * 400}
        )
        list_names(instance, auth_files=auth_files(odd, codex("aa")), **keys)
        assert Account.objects.count() == 3
        assert shown(instance, auth_index="aa") == (Match.AUTH_INDEX, "codex", DAVE)


class TestNumericIndex:
    """From v6.3.56 to v6.6.55 the index is a number that counts anew at each start of the server."""

    def files(self, *emails: str) -> dict[str, Any]:
        return auth_files(*(codex(number, f"codex-{email}.json", email) for number, email in enumerate(emails)))

    def test_records_keep_their_account_when_the_server_renumbers(self, instance: Instance) -> None:
        list_names(instance, auth_files=self.files(DAVE, CAROL))
        book(
            instance,
            *(payload(NOON, auth_index=number, request_id=f"{number}") for number in (0, 0, 1)),
            payload(auth_index=0),
        )
        before = requests_by_account()
        list_names(instance, auth_files=self.files(CAROL, DAVE))
        heal(instance)
        assert requests_by_account() == before == {DAVE: 2, CAROL: 1}
        book(instance, payload(LATER, auth_index=0), payload(LATER, auth_index=0, request_id="2"))
        assert requests_by_account() == {DAVE: 2, CAROL: 3}
        assert Source.objects.count() == 2

    def test_restart_that_we_have_not_noticed_does_not_swap_accounts(self, instance: Instance) -> None:
        """The source, clear since v6.3.36, tells that the number is one of another start."""
        list_names(instance, auth_files=self.files(DAVE, CAROL))
        book(instance, payload(auth_index=0, source=DAVE), payload(auth_index=1, source=CAROL))
        book(instance, payload(LATER, auth_index=0, source=CAROL))
        assert requests_by_account() == {DAVE: 1, CAROL: 2}

    def test_number_of_a_removed_login_means_the_one_that_has_it_now(self, instance: Instance) -> None:
        list_names(instance, auth_files=self.files(DAVE, CAROL))
        list_names(instance, auth_files=self.files(CAROL))
        book(instance, payload(auth_index=0))
        assert requests_by_account() == {CAROL: 1}

    def test_number_that_no_list_has_says_nothing(self, instance: Instance) -> None:
        book(
            instance,
            payload(auth_index=7),
            payload(auth_index=8, request_id="2"),
            payload(auth_index=0, request_id="3"),
        )
        assert only().auth_index == ""
        list_names(instance, auth_files=self.files(DAVE))
        assert heal(instance) == (0, 0)
        assert requests_by_account() == {"?": 3}

    def test_same_number_as_text_is_a_name_of_its_own(self, instance: Instance) -> None:
        list_names(instance, auth_files=auth_files(codex("0")))
        assert shown(instance, auth_index="0") == (Match.AUTH_INDEX, "codex", DAVE)
        assert only().auth_index == "0"


class TestHealing:
    def test_names_that_come_late_name_the_past_and_change_no_total(self, instance: Instance) -> None:
        payloads = [
            payload(NOON + timedelta(minutes=30 * number), auth_index=index, source=source, request_id=str(number))
            for number, (index, source) in enumerate([("aa", DAVE)] * 5 + [("bb", CAROL)] * 3 + [("cc", "x")] * 2)
        ]
        book(instance, *payloads)
        before, hours = sums_of(UsageRecord.objects.all()), rollup.differences()
        assert heal(instance) == (0, 0)
        list_names(instance, auth_files=auth_files(codex("aa"), codex("bb", "codex-carol.json", CAROL)))
        assert heal(instance) == (2, 8)
        assert heal(instance) == (0, 0)
        assert requests_by_account() == {DAVE: 5, CAROL: 3, "?": 2}
        assert sums_of(UsageRecord.objects.all()) == before
        assert rollup.differences() == hours == []

    def test_source_of_which_only_the_channel_was_sure_gets_its_account(self, instance: Instance) -> None:
        files = [codex(name, f"codex-{name}.json") for name in ("plus", "team")]
        list_names(instance, auth_files=auth_files(*files))
        assert shown(instance, source=DAVE) == (Match.SOURCE, "codex", None)
        list_names(instance, auth_files=auth_files(files[0]))
        assert heal(instance) == (1, 1)
        assert meaning(only())[:2] == (Match.SOURCE, "codex")
        assert only().account is not None

    def test_healing_one_server_leaves_the_others(self, instance: Instance) -> None:
        other = Instance(name="Other", base_url="http://127.0.0.1:10")
        other.management_key = "other-FAKE"
        other.save()
        shown(instance, auth_index="aa")
        shown(other, auth_index="aa")
        list_names(other, auth_files=auth_files(codex("aa")))
        assert heal(instance) == (0, 0)
        assert heal(other) == (1, 1)


class TestFamily:
    def family(self, instance: Instance, **fields: Any) -> tuple[Family, bool]:
        read = payload(**fields)
        return family_of_record(read, Sources(instance).sight(read).resolution)

    def test_entry_called_claude_is_counted_as_what_it_is(self, instance: Instance) -> None:
        list_names(instance, **compats(compat("claude", (KEYS[0], "aa"))))
        assert self.family(instance, provider="claude", auth_index="aa") == (Family.SUBSET, False)

    def test_kimi_by_the_messages_path_is_counted_as_claude(self, instance: Instance) -> None:
        list_names(instance, auth_files=auth_files(auth_file("kimi-1.json", "kimi", auth_index="aa")))
        assert self.family(instance, provider="claude", auth_index="aa") == (Family.CLAUDE, False)

    def test_legacy_detail_is_counted_as_its_account_and_else_as_its_model_guessed(self, instance: Instance) -> None:
        list_names(instance, auth_files=auth_files(auth_file("x.json", "antigravity", auth_index="aa")))
        for entry, expected in (
            (detail(auth_index="aa"), (Family.GEMINI, False)),
            (detail(auth_index="bb"), (Family.CLAUDE, True)),
        ):
            read = legacy_payload(entry, model="claude-sonnet-4-6")
            assert family_of_record(read, Sources(instance).sight(read).resolution) == expected
