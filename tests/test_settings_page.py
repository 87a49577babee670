"""The Settings page: what each section saves, what it shows, and who comes to it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from tests.factories import auth_file, auth_files, list_names
from tests.sample_usage import make_sample_usage
from tests.test_catalogue import chinese, leftovers  # noqa: F401
from usage.ingest import rollup
from usage.models import (
    Account,
    ApiKey,
    Channel,
    Instance,
    ModelName,
    Preferences,
    SiteSettings,
    UsageRecord,
)

pytestmark = pytest.mark.django_db
PERSONAL = {
    "language": "en", "theme": "dark", "default_range": "30d", "comparison": "off", "refresh": "", "privacy": "",
    "density": "comfortable", "units": "thousands", "shortcuts": "on",
}  # fmt: skip


@pytest.fixture
def sample(instance: Instance) -> Instance:
    make_sample_usage(instance, timezone.now())
    return instance


def html_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return str(answer.content.decode())


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def total_of(answer: dict[str, Any]) -> int:
    return sum(value for row in answer["series"] for value in row["requests"])


def save(client: Client, address: str, data: dict[str, Any]) -> str:
    answer = client.post(address, data, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


class TestPersonal:
    def test_what_is_saved_is_shown_and_counts(self, reader: Client, sample: Instance) -> None:
        assert "Saved." in save(reader, "/settings/", PERSONAL | {"refresh": "30"})
        html = html_of(reader, "/settings/")
        for name, value in (("default_range", "30d"), ("comparison", "off"), ("refresh", "30"), ("theme", "dark")):
            select = re.findall(rf'<select name="{name}".*?</select>', html, re.S)[0]
            assert re.findall(r'<option value="([^"]*)" selected', select) == [value]
        assert 'data-theme="dark" data-shortcuts data-refresh="30"' in html
        channels = html_of(reader, "/channels/")
        assert (
            "Last 30 days" in re.findall(r"<summary[^>]*>.*?</summary>", channels, re.S)[3]
            or "Last 30 days" in channels
        )

    def test_an_address_says_only_what_its_reader_would_not_assume(self, reader: Client, sample: Instance) -> None:
        assert 'href="?range=30d' in html_of(reader, "/channels/")
        save(reader, "/settings/", PERSONAL)
        html = html_of(reader, "/channels/")
        assert 'href="?range=7d' in html and 'href="?range=30d' not in html

    def test_a_comparison_of_ones_own(self, reader: Client, sample: Instance) -> None:
        save(reader, "/settings/", PERSONAL)
        html = html_of(reader, "/")
        assert "No comparison" in html and 'href="?cmp=prev' in html and 'href="?cmp=off' not in html

    def test_the_language_is_that_of_the_answer(self, reader: Client) -> None:
        html = save(reader, "/settings/", PERSONAL | {"language": "zh-hans"})
        assert 'lang="zh-Hans"' in html

    def test_of_another_person_nothing_changes(self, reader: Client, sample: Instance, django_user_model: Any) -> None:
        save(reader, "/settings/", PERSONAL)
        other = Client()
        other.force_login(django_user_model.objects.create_user("other"))
        assert 'href="?range=30d' in html_of(other, "/channels/")

    def test_compact_rows_and_shortcuts_are_told_to_each_page(self, reader: Client, sample: Instance) -> None:
        head = html_of(reader, "/channels/")[:200]
        assert "data-shortcuts" in head and "data-density" not in head
        save(reader, "/settings/", PERSONAL | {"density": "compact", "shortcuts": ""})
        for address in ("/channels/", "/prices/"):
            head = html_of(reader, address)[:200]
            assert 'data-density="compact"' in head and "data-shortcuts" not in head
        html = html_of(reader, "/settings/")
        assert re.search(r'value="compact" selected', html) and not re.search(r'name="shortcuts"[^>]*checked', html)

    def test_large_numbers_in_myriads_on_chinese_pages_alone(self, reader: Client, sample: Instance) -> None:
        save(reader, "/settings/", PERSONAL | {"units": "myriads", "default_range": "7d"})
        addresses = ("/", "/channels/", "/models/", "/records/", "/explore/", "/channels/claude/")
        for address in addresses:
            assert not re.search(r">[\d.,]+万<", html_of(reader, address)), address
        reader.cookies["django_language"] = "zh-hans"
        for address in addresses:
            html = html_of(reader, address)
            assert re.search(r">[\d.,]+[万亿]<", html), address
            assert not re.search(r">[$¥]?[\d.,]+[KMBT]<", html), address
        # 102 requests of 100,000 tokens; ticks of the axis, and what the chart's script reads: they may be of two hours
        html = html_of(reader, "/channels/")
        assert 'title="10,200,000">1,020万<' in html and re.search(r'<td data-value="\d{7,8}">[\d,.]+万</td>', html)

    def test_files_and_the_api_have_all_digits(
        self, reader: Client, sample: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = timezone.now()
        monkeypatch.setattr(timezone, "now", lambda: now)  # files say when they were made
        reader.cookies["django_language"] = "zh-hans"
        files = ["/channels/?format=csv", "/channels/?format=json", "/records/?format=csv", "/api/channels/?range=7d"]
        before = [b"".join(reader.get(address)) for address in files]
        save(reader, "/settings/", PERSONAL | {"units": "myriads", "language": "zh-hans", "default_range": "7d"})
        assert [b"".join(reader.get(address)) for address in files] == before

    @pytest.mark.parametrize(
        "wrong",
        [
            {"default_range": "1y"},
            {"refresh": "1"},
            {"theme": "pink"},
            {"language": "xx"},
            {"comparison": ""},
            {"density": "tight"},
            {"units": "dozens"},
        ],
    )
    def test_what_there_is_not_is_refused(self, reader: Client, wrong: dict[str, str]) -> None:
        assert "Please correct what is marked below." in save(reader, "/settings/", PERSONAL | wrong)
        assert not Preferences.objects.exists()

    def test_what_a_later_version_does_not_know_any_more_is_the_usual(self, reader: Client, sample: Instance) -> None:
        reader.get("/settings/")
        save(reader, "/settings/", PERSONAL)
        Preferences.objects.update(default_range="13d", comparison="moon")
        assert 'href="?range=30d' in html_of(reader, "/channels/")


class TestDisplay:
    ADDRESS = "/settings/display/"
    SITE = {"site_name": "", "currency": "USD", "week_start": 0, "top_series": 7}
    YUAN = SITE | {"site_name": "Team meter", "currency": "CNY", "cny_per_usd": "7.12", "rate_date": "2026-11-20"}

    def test_name_and_currency_count_at_once(self, staff: Client, sample: Instance) -> None:
        assert "Saved." in save(staff, self.ADDRESS, self.YUAN)
        html = html_of(staff, "/channels/")
        assert "<span>Team meter</span>" in html and "CPA Meter" not in html
        assert "¥153.79" in html and "Shown at 7.12 CNY per USD (2026-11-20)." in html
        assert "$" not in re.findall(r'<td class="cost"[^>]*>(.*?)</td>', html, re.S)[0].partition("title=")[0]
        save(staff, self.ADDRESS, self.SITE)
        html = html_of(staff, "/channels/")
        assert "<span>CPA Meter</span>" in html and "¥" not in html

    def test_the_api_and_files_stay_in_usd(self, staff: Client, sample: Instance) -> None:
        before = staff.get("/api/channels/").json()
        save(staff, self.ADDRESS, self.YUAN)
        assert staff.get("/api/channels/").json()["channels"] == before["channels"]

    def test_weeks_begin_where_the_site_says(self, staff: Client, sample: Instance) -> None:
        def week() -> list[str]:
            heat = re.findall(r'<table class="heat">.*?</table>', html_of(staff, "/"), re.S)[0]
            return re.findall(r'<tr><th scope="row">(\w+)</th>', heat)

        def weekdays(address: str) -> set[int]:
            starts = [datetime.fromisoformat(edge) for edge in staff.get(address).json()["edges"][1:-1]]
            return {start.weekday() for start in starts}

        series = "/api/usage/series/?range=90d&bucket=1w&by=channel"
        assert week()[0] == "Mon" and weekdays(series) == {0}
        before = staff.get(series).json()
        for value, first, day in ((6, "Sun", 6), (5, "Sat", 5)):
            assert "Saved." in save(staff, self.ADDRESS, self.SITE | {"week_start": value})
            assert week()[0] == first and len(set(week())) == 7 and weekdays(series) == {day}
        assert total_of(staff.get(series).json()) == total_of(before) > 0

    def test_so_many_series_as_the_site_says(self, staff: Client, sample: Instance) -> None:
        for number, pk in enumerate(UsageRecord.objects.values_list("pk", flat=True)[:9]):
            model = ModelName.objects.create(name=f"model-{number}")
            UsageRecord.objects.filter(pk=pk).update(model=model)
        rollup.rebuild()
        for most in (5, 8):
            save(staff, self.ADDRESS, self.SITE | {"top_series": most})
            assert f"The largest {most} of 13" in html_of(staff, "/?by=model")

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"week_start": "3"}, "valid choice"),
            ({"top_series": "9"}, "valid choice"),
            ({"cny_per_usd": ""}, "Yuan need the rate and its day."),
            ({"rate_date": ""}, "Yuan need the rate and its day."),
            ({"cny_per_usd": "0"}, "more than 0"),
            ({"cny_per_usd": "10000"}, "4 digits before the decimal point"),
            ({"cny_per_usd": "7.1234567"}, "6 decimal places"),
            ({"cny_per_usd": "seven"}, "Enter a number"),
            ({"rate_date": "2126-01-01"}, "still to come"),
            ({"currency": "EUR"}, "valid choice"),
            ({"site_name": "x" * 61}, "60 characters"),
        ],
    )
    def test_what_is_wrong_is_told_and_kept(self, staff: Client, wrong: dict[str, str], told: str) -> None:
        html = save(staff, self.ADDRESS, self.YUAN | wrong)
        assert told in html and not SiteSettings.objects.exists()
        assert (
            f'value="{next(iter(wrong.values()))}"' in html
            or "valid choice" in told
            or "EUR" in wrong.values()
            or "" in wrong.values()
        )

    def test_what_the_environment_sets_cannot_be_changed(
        self, staff: Client, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        monkeypatch.setenv("SITE_NAME", "From outside")
        monkeypatch.setenv("CURRENCY", "USD")
        settings.SITE_NAME = "From outside"
        html = save(staff, self.ADDRESS, self.YUAN)
        assert html.count("disabled") == 4
        assert "<code>env</code> CURRENCY" in html and "<code>env</code> SITE_NAME" in html
        assert "<span>From outside</span>" in html and "Team meter" not in html
        assert not SiteSettings.objects.exclude(site_name="").exists()

    def test_the_zone_is_shown_with_todays_boundaries_and_cannot_be_saved(self, staff: Client, settings: Any) -> None:
        with time_machine.travel("2026-11-27T17:00:00Z", tick=False):
            html = text_of(html_of(staff, f"{self.ADDRESS}?zone=Asia/Shanghai"))
        assert "UTC Today, 2026-11-27: from 2026-11-27 00:00 UTC to 2026-11-28 00:00 UTC" in html
        assert (
            "Asia/Shanghai Today, 2026-11-28: from 2026-11-28 00:00 UTC+8 to 2026-11-29 00:00 UTC+8 "
            "(UTC: 2026-11-27 16:00 to 2026-11-28 16:00)" in html
        )
        assert "There is no time zone “Mars”." in html_of(staff, f"{self.ADDRESS}?zone=Mars")


class TestChannels:
    ADDRESS = "/settings/channels/"

    def test_a_look_that_is_chosen_is_on_every_page(self, staff: Client, sample: Instance) -> None:
        claude = Channel.objects.get(name="claude")
        html = save(staff, self.ADDRESS, {f"slot-{claude.pk}": "5", f"shape-{claude.pk}": "diamond"})
        assert "1 channel changed." in html
        assert re.search(
            r'class="marker f5"[^>]*><use href="#m-diamond"/></svg><span class="name"[^>]*>claude',
            html_of(staff, "/channels/"),
        )

    def test_what_is_no_look_changes_nothing(self, staff: Client, sample: Instance) -> None:
        before = list(Channel.objects.values_list("color_slot", "shape"))
        sent = {f"slot-{pk}": "9" for pk in Channel.objects.values_list("pk", flat=True)}
        sent |= {f"shape-{pk}": "star" for pk in Channel.objects.values_list("pk", flat=True)}
        assert "0 channels changed." in save(staff, self.ADDRESS, sent)
        assert list(Channel.objects.values_list("color_slot", "shape")) == before


class TestNames:
    ADDRESS = "/settings/names/"

    def test_an_alias_of_an_account_goes_before_its_name(self, staff: Client, sample: Instance) -> None:
        alice = Account.objects.get(label="alice@example.com")
        assert "1 name changed." in save(staff, self.ADDRESS, {f"alias-{alice.pk}": " Alice, team A "})
        html = html_of(staff, "/channels/?open=claude")
        assert "Alice, team A" in html and "alice@example.com" not in html
        accounts = staff.get("/api/usage/?by=account").json()["rows"]
        assert "Alice, team A" in [row["account"]["name"] for row in accounts]
        assert "alice@example.com" in html_of(staff, self.ADDRESS)

    def test_a_number_may_be_written_in_any_way_and_what_is_none_names_nothing(
        self, staff: Client, sample: Instance
    ) -> None:
        alice = Account.objects.get(label="alice@example.com")
        fields = {f"alias-00{alice.pk}": "A", "alias-x": "B", f"other-alias-{alice.pk}": "C", "alias-999999": "D"}
        assert "1 name changed." in save(staff, self.ADDRESS, fields)
        assert list(Account.objects.exclude(alias="").values_list("pk", "alias")) == [(alice.pk, "A")]

    def test_an_alias_stays_when_the_server_lists_anew(self, staff: Client, instance: Instance) -> None:
        def files(email: str) -> Any:
            return auth_files(auth_file("a.json", "claude", email=email, auth_index="1"))

        list_names(instance, auth_files=files("a@example.com"))
        save(staff, self.ADDRESS, {f"alias-{Account.objects.get().pk}": "A"})
        list_names(instance, auth_files=files("b@example.com"))
        row = Account.objects.get()
        assert (str(row), row.listed_name) == ("A", "b@example.com")

    def test_an_empty_alias_gives_the_name_back(self, staff: Client, sample: Instance) -> None:
        key = ApiKey.objects.create(key_digest=b"k" * 16, key_mask="sk-k...0001", alias="Laptop")
        assert "1 name changed." in save(staff, f"{self.ADDRESS}?of=keys", {f"alias-{key.pk}": ""})
        assert str(ApiKey.objects.get()) == "sk-k...0001"

    def test_accounts_and_keys_of_one_number_are_not_mixed_up(self, staff: Client, sample: Instance) -> None:
        account = Account.objects.first()
        assert account
        ApiKey.objects.create(pk=account.pk, key_digest=b"k" * 16, key_mask="sk-k...0001", alias="Laptop")
        save(staff, f"{self.ADDRESS}?of=keys", {f"alias-{account.pk}": "Desk"})
        assert (ApiKey.objects.get().alias, Account.objects.get(pk=account.pk).alias) == ("Desk", "")

    def test_many_are_searched_and_turned(self, staff: Client, instance: Instance) -> None:
        channel = Channel.objects.create(name="claude", kind="oauth")
        Account.objects.bulk_create(
            Account(instance=instance, channel=channel, label=f"account{number:03}", listed_in="x", provider="claude")
            for number in range(120)
        )
        assert html_of(staff, self.ADDRESS).count('name="alias-') == 50
        assert html_of(staff, f"{self.ADDRESS}?page=3").count('name="alias-') == 20
        found = html_of(staff, f"{self.ADDRESS}?q=ACCOUNT11")
        assert found.count('name="alias-') == 10
        assert "Nothing matches." in html_of(staff, f"{self.ADDRESS}?q=nobody")

    def test_in_privacy_mode_nothing_is_shown_or_saved(self, staff: Client, sample: Instance) -> None:
        staff.post("/preferences/privacy/", {"privacy": "on"})
        alice = Account.objects.get(label="alice@example.com")
        html = save(staff, self.ADDRESS, {f"alias-{alice.pk}": "x"})
        assert "Turn privacy mode off to change names." in html and "alice" not in html and 'name="alias-' not in html
        assert f"claude #{alice.pk}" in html_of(staff, f"{self.ADDRESS}?q=bob")
        assert not Account.objects.exclude(alias="").exists()


class TestServers:
    def test_it_says_from_where_and_how_often_and_no_key(
        self, staff: Client, instance: Instance, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.POLL_SECONDS = 7
        monkeypatch.setenv("POLL_SECONDS", "7")
        html = html_of(staff, "/settings/servers/")
        words = text_of(html)
        assert f"{instance.name} {instance.base_url} set •••• Automatic" in words
        assert "every 7 seconds env POLL_SECONDS" in words and "env LEGACY_POLL_SECONDS" not in words
        assert instance.management_key not in html and f'href="/setup/server/{instance.pk}/"' in html

    def test_what_the_environment_names_is_marked(
        self, staff: Client, instance: Instance, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "env CPA_" not in text_of(html_of(staff, "/settings/servers/"))
        settings.CPA_BASE_URL = instance.base_url + "/"
        monkeypatch.setenv("CPA_BASE_URL", settings.CPA_BASE_URL)
        words = text_of(html_of(staff, "/settings/servers/"))
        assert "env CPA_BASE_URL" in words and "env CPA_MANAGEMENT_KEY" in words


class TestRetention:
    @pytest.mark.parametrize(("days", "shown"), [(0, "for ever"), (1, "1 day "), (400, "400 days ")])
    def test_it_says_how_long(self, staff: Client, sample: Instance, settings: Any, days: int, shown: str) -> None:
        settings.RECORDS_KEPT_DAYS = days
        assert f"what upstream said of failures and where clients called from {shown}" in text_of(
            html_of(staff, "/settings/retention/")
        )


class TestUsers:
    NEW = {"username": "newcomer", "password1": "correct horse battery", "password2": "correct horse battery"}

    def test_who_is_added_can_sign_in_and_looks_only(self, admin_client: Client) -> None:
        assert "newcomer can sign in now." in save(admin_client, "/settings/users/", self.NEW)
        other = Client()
        assert other.login(request=HttpRequest(), username="newcomer", password=self.NEW["password1"])
        assert other.get("/settings/display/").status_code == 403

    def test_a_weak_password_is_refused(self, admin_client: Client) -> None:
        weak = {"username": "newcomer", "password1": "12345678", "password2": "12345678"}
        assert "too common" in save(admin_client, "/settings/users/", weak)
        assert not get_user_model().objects.filter(username="newcomer").exists()

    def test_who_is_shut_out_has_no_page_and_no_token(self, admin_client: Client) -> None:
        ann = get_user_model().objects.create_user("ann")
        _row, token = AuthToken.objects.create(ann)
        hers = Client(headers={"authorization": f"Token {token}"})
        assert hers.get("/api/channels/").status_code == 200
        assert "ann cannot sign in any more." in save(admin_client, f"/settings/users/{ann.pk}/", {"active": "no"})
        assert hers.get("/api/channels/").status_code == 401
        assert "ann can sign in now." in save(admin_client, f"/settings/users/{ann.pk}/", {"active": "yes"})

    def test_nobody_shuts_out_themselves(self, admin_client: Client, admin_user: Any) -> None:
        assert "Nobody can shut out themselves." in save(
            admin_client, f"/settings/users/{admin_user.pk}/", {"active": "no"}
        )
        admin_user.refresh_from_db()
        assert admin_user.is_active

    def test_staff_does_not_add_users(self, staff: Client) -> None:
        assert staff.get("/settings/users/").status_code == 403
        assert staff.post("/settings/users/", self.NEW | {"is_staff": "on"}).status_code == 403
        admin = get_user_model().objects.create_superuser("boss")
        assert staff.post(f"/settings/users/{admin.pk}/", {"active": "no"}).status_code == 403
        assert not get_user_model().objects.filter(username="newcomer").exists()


class TestTokens:
    ADDRESS = "/settings/tokens/"

    def test_a_token_works_and_is_shown_once(self, reader: Client) -> None:
        answer = reader.post(self.ADDRESS)
        token = re.findall(r"<code>([0-9a-f]{64})</code>", answer.content.decode())[0]
        assert answer["Cache-Control"] == "no-store"
        assert Client(headers={"authorization": f"Token {token}"}).get("/api/channels/").status_code == 200
        html = html_of(reader, self.ADDRESS)
        assert token not in html and f"{token[:15]}…" in html

    def test_a_revoked_one_works_no_more(self, reader: Client) -> None:
        token = re.findall(r"<code>([0-9a-f]{64})</code>", reader.post(self.ADDRESS).content.decode())[0]
        assert "The token is revoked." in save(reader, f"{self.ADDRESS}{token[:15]}/", {})
        assert Client(headers={"authorization": f"Token {token}"}).get("/api/channels/").status_code == 401

    def test_another_persons_is_neither_shown_nor_revoked(self, reader: Client) -> None:
        row, _token = AuthToken.objects.create(get_user_model().objects.create_user("ann"))
        assert row.token_key not in html_of(reader, self.ADDRESS)
        assert reader.post(f"{self.ADDRESS}{row.token_key}/").status_code == 404
        assert AuthToken.objects.count() == 1


def test_about_names_versions_and_licences(reader: Client) -> None:
    html = text_of(html_of(reader, "/settings/about/"))
    assert re.search(r"CPA Meter \d+\.\d+\.\d+ Python \d", html)
    for line in (r"Django 5\.2\.\d+ BSD-3-Clause", r"msgspec [\d.]+ BSD", r"httpx [\d.]+ BSD"):
        assert re.search(line, html), line


SECTIONS = ("display", "channels", "names", "servers", "retention", "users", "tokens", "about")


def test_who_comes_to_which_section(client: Client, django_user_model: Any) -> None:
    for name, rights, closed in (
        ("reader", {}, ("display", "channels", "names", "servers", "retention", "users")),
        ("operator", {"is_staff": True}, ("users",)),
        ("boss", {"is_staff": True, "is_superuser": True}, ()),
    ):
        client.force_login(django_user_model.objects.create_user(name, **rights))
        html = html_of(client, "/settings/")
        for section in SECTIONS:
            assert client.get(f"/settings/{section}/").status_code == (403 if section in closed else 200), (
                name,
                section,
            )
            assert (f'href="/settings/{section}/"' in html) is (section not in closed), (name, section)
    client.logout()
    assert client.get("/settings/")["Location"] == "/login/?next=/settings/"


@pytest.mark.parametrize("section", ["", *(f"{section}/" for section in SECTIONS)])
def test_no_section_falls_back_to_english(
    admin_client: Client,
    sample: Instance,
    chinese: None,  # noqa: F811
    section: str,
) -> None:
    ApiKey.objects.create(key_digest=b"k" * 16, key_mask="sk-k...0001")
    admin_client.post("/settings/tokens/")
    admin_client.cookies["django_language"] = "zh-hans"
    html = html_of(admin_client, f"/settings/{section}")
    html = re.sub(r"<datalist.*?</datalist>|<code>.*?</code>|[0-9a-f]{15}", "", html, flags=re.S)
    if section == "about/":
        html = re.sub(r'<th scope="row">.*?</th>|<[td]d[^>]*>.*?</[td]d>', "", html)
    english = {words for words in leftovers(html) if not re.search(r"[\u4e00-\u9fff]", words)}
    assert english <= {"Python", "RECORDS_KEPT_DAYS", "POLL_SECONDS", "LEGACY_POLL_SECONDS"}
