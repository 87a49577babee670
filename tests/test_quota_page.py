"""What is left of each window, until when, and for how long at this pace."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from channels_app.quota.meanings import WINDOWS
from channels_app.quota.pools import Pool
from channels_app.quota.windows import Window, holder_of_account, holders_of_channel, quota_holders
from tests.factories import NOON
from tests.test_catalogue import chinese, leftovers  # noqa: F401
from usage.models import Account, Channel, Instance, QuotaWindow, Source

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def window(used: Any = 50, *, seen: timedelta = -MINUTE, resets: timedelta | None = 2 * HOUR, **fields: Any) -> Window:
    known = {"name": "5h", "length": 5 * HOUR, "resets_at": None if resets is None else NOON + resets}
    return Window(used_percent=Decimal(used), seen_at=NOON + seen, now=NOON, **(known | fields))


def test_what_is_left_is_all_but_what_is_used() -> None:
    assert (window(58.25).remaining_percent, window(58.25).remaining) == (Decimal("41.75"), 0.4175)
    assert window(100).is_exhausted and window(104).remaining_percent == 0


def test_after_its_reset_a_window_is_not_known() -> None:
    """Unknown is neither zero nor all."""
    over = window(100, seen=-3 * HOUR, resets=timedelta())
    assert over.is_over and over.remaining_percent is None and not over.is_exhausted and over.level == ""
    assert not window(100, resets=timedelta(microseconds=1)).is_over


def test_without_a_reset_it_is_over_at_the_latest_its_length_after_the_reading() -> None:
    assert not window(resets=None, seen=-4 * HOUR).is_over
    assert window(resets=None, seen=-5 * HOUR).is_over
    assert not window(resets=None, length=None, seen=-99 * HOUR).is_over


def test_the_pace_is_the_average_of_the_window_so_far() -> None:
    """It began three hours ago; half of it in three hours is all of it in six, an hour after its reset."""
    assert (window(50, seen=timedelta()).exhausted_at, window(50, seen=timedelta()).lasts) == (None, True)
    assert (window(75, seen=timedelta()).exhausted_at, window(75, seen=timedelta()).lasts) == (NOON + HOUR, False)
    # As of the reading: 60 % took two hours and a half, so all take four hours and ten minutes.
    assert window(60, seen=-30 * MINUTE).exhausted_at == NOON + HOUR + 10 * MINUTE


@pytest.mark.parametrize(
    "unknown",
    [
        window(4.99),
        window(0),
        window(100),
        window(resets=None),
        window(length=None),
        window(seen=-4 * HOUR),  # before the window that ends at its reset
        window(95, seen=-HOUR),  # by now it would be exhausted, and nobody said so
        window(resets=-MINUTE),
    ],
)
def test_where_nothing_can_be_concluded_nothing_is_said(unknown: Window) -> None:
    assert unknown.exhausted_at is None and not unknown.lasts


@given(
    used=st.integers(0, 12_000),
    seen=st.integers(0, 600),
    resets=st.integers(-600, 600) | st.none(),
    length=st.integers(1, 600) | st.none(),
)
def test_the_end_is_between_now_and_the_reset(used: int, seen: int, resets: int | None, length: int | None) -> None:
    one = window(
        Decimal(used) / 100,
        seen=-seen * MINUTE,
        resets=None if resets is None else resets * MINUTE,
        length=None if length is None else length * MINUTE,
    )
    if one.exhausted_at:
        assert one.resets_at and NOON < one.exhausted_at < one.resets_at and not one.lasts
    if one.is_over:
        assert one.remaining is None and not one.lasts and one.exhausted_at is None
    else:
        assert one.remaining is not None and 0 <= one.remaining <= 1


@given(first=st.integers(500, 10_000), more=st.integers(0, 5_000))
def test_who_uses_more_is_exhausted_sooner(first: int, more: int) -> None:
    one, other = (window(Decimal(used) / 100, seen=timedelta()) for used in (first, min(first + more, 9_999)))
    if one.exhausted_at:
        assert (other.exhausted_at is None and other.is_exhausted) or (other.exhausted_at or NOON) <= one.exhausted_at


def channel(name: str) -> Channel:
    return Channel.objects.get_or_create(kind=Channel.Kind.OAUTH, name=name)[0]


def account(instance: Instance, name: str, provider: str = "claude") -> Account:
    return Account.objects.create(
        instance=instance, channel=channel(provider), label=name, listed_in="auth-files", provider=provider
    )


def source(instance: Instance, owner: Account | None, index: str = "0") -> Source:
    return Source.objects.create(instance=instance, provider="claude", auth_index=index, account=owner)


def reading(of: Source, name: str, used: float, now: datetime = NOON, **fields: Any) -> QuotaWindow:
    known = {
        "minutes": {"5h": 300, "7d": 10_080, "7d_opus": 10_080}.get(name, 0),
        "resets_at": now + HOUR,
        "seen_at": now - MINUTE,
    }
    return QuotaWindow.objects.create(source=of, name=name, used_percent=Decimal(str(used)), **(known | fields))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)


@pytest.fixture
def windows(instance: Instance, clock: None) -> Instance:
    """Alice nearly used up her week, Bob's was reset, and there is one whom nobody knows, without a window left."""
    alice, bob = account(instance, "alice@example.com"), account(instance, "bob@example.org", "codex")
    reading(source(instance, alice, "a"), "5h", 12.5)
    reading(source(instance, alice, "b"), "7d", 93)
    reading(source(instance, bob, "c"), "5h", 100, resets_at=NOON - HOUR, seen_at=NOON - 2 * HOUR)
    reading(source(instance, None, "d"), "5h", 100)
    return instance


def rows(client: Client, address: str = "/quota/") -> list[str]:
    html = client.get(address).content.decode()
    found = re.findall(r"<tr>(.*?)</tr>", html.partition('aria-label="Quota windows"')[2], re.S)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in found[1:]]


@pytest.mark.django_db
def test_who_has_least_left_comes_first(reader: Client, windows: Instance) -> None:
    assert rows(reader) == [
        "claude · d Unknown channel 5 hours 0% 08-22 13:00 in 1 h 00 m exhausted 1 m ago",
        "alice@example.com claude 5 hours 87.5% 08-22 13:00 in 1 h 00 m lasts until the reset 1 m ago",
        "alice@example.com claude 7 days 7.0% 08-22 13:00 in 1 h 00 m lasts until the reset 1 m ago",
        "bob@example.org codex 5 hours not known since the reset was reset 08-22 11:00 — 2 h ago",
    ]
    html = reader.get("/quota/").content.decode()
    assert "3 accounts" in html and "1 exhausted" in html and 'aria-current="page"' in html


def test_a_pool_is_exhausted_when_all_together_are() -> None:
    """One began three hours ago and used half, one an hour ago and used a quarter: 125 % are left, and 41 ⅔ % an hour go."""
    pool = Pool(None, [window(50, seen=timedelta()), window(25, seen=timedelta(), resets=4 * HOUR)], NOON)
    assert (pool.remaining_percent, pool.first_reset) == (Decimal("62.5"), NOON + 2 * HOUR)
    assert (pool.exhausted_at, pool.lasts) == (None, True)  # three hours, and one is reset after two
    faster = Pool(None, [window(80, seen=timedelta()), window(100, seen=timedelta())], NOON)
    assert (faster.exhausted, faster.level) == (1, "warn")
    assert faster.exhausted_at == NOON + 20 * MINUTE  # both go on as before, on what the one has left


@pytest.mark.parametrize(
    "windows",
    [
        [window(4), window(5)],
        [window(50), window(50, resets=None)],
        [window(100), window(100)],
        [window(9, resets=-HOUR)],
    ],
)
def test_of_a_pool_nothing_is_concluded_without_ground(windows: list[Window]) -> None:
    pool = Pool(None, windows, NOON)
    assert pool.exhausted_at is None and not pool.lasts


@given(used=st.lists(st.integers(0, 100), min_size=1, max_size=5))
def test_a_pool_with_one_more_account_lasts_at_least_as_long(used: list[int]) -> None:
    some = [window(one, seen=timedelta(), resets=4 * HOUR) for one in used]
    pool, larger = Pool(None, some, NOON), Pool(None, [*some, window(0, seen=timedelta(), resets=4 * HOUR)], NOON)
    if larger.exhausted_at:
        assert pool.is_exhausted or (pool.exhausted_at and pool.exhausted_at <= larger.exhausted_at)


@given(used=st.integers(1, 100))
def test_a_pool_of_one_account_is_its_window(used: int) -> None:
    one = window(used, seen=timedelta())
    pool = Pool(None, [one], NOON)
    assert (pool.lasts, pool.level, pool.remaining) == (one.lasts, one.level, one.remaining)
    assert pool.exhausted_at == one.exhausted_at


@pytest.mark.django_db
def test_the_accounts_of_a_channel_are_shown_together(reader: Client, instance: Instance, clock: None) -> None:
    for name, used in (("alice", 20), ("bob", 100), ("carol", 60)):
        reading(source(instance, account(instance, f"{name}@example.com", "codex"), name), "5h", used)
    html = reader.get("/quota/").content.decode().partition('aria-labelledby="pools-title"')[2]
    row = " ".join(re.sub(r"<[^>]+>", " ", html.partition("<tbody>")[2].partition("</tr>")[0]).split())
    assert row == "codex 5 hours 3 1 exhausted 40.0% 08-22 13:00 in 1 h 00 m lasts until the first reset"


@pytest.mark.django_db
def test_of_an_account_that_shows_itself_twice_the_newest_reading_counts(instance: Instance) -> None:
    alice = account(instance, "alice@example.com")
    reading(source(instance, alice, "old"), "5h", 90, seen_at=NOON - HOUR)
    reading(source(instance, alice, "new"), "5h", 10)
    (holder,) = quota_holders(NOON)
    assert [one.used_percent for one in holder.windows] == [10]
    assert holder_of_account(alice, NOON) == holder
    assert holders_of_channel(alice.channel, NOON) == [holder] and holders_of_channel(channel("codex"), NOON) == []
    assert holder_of_account(account(instance, "bob@example.org"), NOON) is None


@pytest.mark.django_db
def test_the_block_of_one_account_begins_with_the_window(windows: Instance) -> None:
    (holder,) = (one for one in quota_holders(NOON) if one.name == "alice@example.com")
    html = render_to_string("quota/_windows.html", {"holders": [holder], "about": WINDOWS})
    assert "alice" not in html and re.findall(r'<th scope="row">([^<]+)', html) == ["5 hours", "7 days"]


@pytest.mark.django_db
def test_pages_of_channels_and_accounts_show_theirs(reader: Client, windows: Instance) -> None:
    alice, bob = (Account.objects.get(label=f"{name}") for name in ("alice@example.com", "bob@example.org"))
    html = reader.get(f"/accounts/{alice.pk}/").content.decode()
    assert 'id="quota-title"' in html and "87.5%" in html and "7.0%" in html
    html = reader.get(f"/channels/{bob.channel.slug}/").content.decode()
    assert "not known since the reset" in html and "87.5%" not in html
    assert "0%" in reader.get("/channels/unknown/").content.decode()
    carol = account(windows, "carol@example.com")
    assert 'id="quota-title"' not in reader.get(f"/accounts/{carol.pk}/").content.decode()


@pytest.mark.django_db
def test_the_api_says_the_same(api: APIClient, windows: Instance) -> None:
    accounts = api.get("/api/quota/").json()["accounts"]
    assert [one["account"]["name"] for one in accounts] == ["claude · d", "alice@example.com", "bob@example.org"]
    assert accounts[0]["channel"] == {"id": "unknown", "name": "Unknown channel"}
    assert accounts[1]["server"] == {"id": windows.slug, "name": "Test CPA"}
    assert accounts[1]["windows"][1] == {
        "window": "7d",
        "length_minutes": 10_080,
        "used_percent": 93.0,
        "remaining_percent": 7.0,
        "is_over": False,
        "resets_at": "2026-08-22T13:00:00Z",
        "exhausted_at": None,
        "lasts": True,
        "seen_at": "2026-08-22T11:59:00Z",
    }
    over = accounts[2]["windows"][0]
    assert (over["is_over"], over["remaining_percent"]) == (True, None)


@pytest.mark.django_db
def test_it_takes_few_queries_however_many_there_are(
    reader: Client, instance: Instance, clock: None, django_assert_max_num_queries: Any
) -> None:
    for number in range(120):
        reading(source(instance, account(instance, f"account{number:03}@example.com"), str(number)), "5h", number / 2)
    with django_assert_max_num_queries(12):
        assert len(rows(reader)) == 100
    assert len(rows(reader, "/quota/?page=2")) == 20 == len(rows(reader, "/quota/?page=99"))


@pytest.mark.django_db
def test_without_windows_it_says_where_they_come_from(reader: Client, instance: Instance) -> None:
    assert "No quota windows yet" in reader.get("/quota/").content.decode()
    instance.delete()
    assert "No CPA server is connected yet" in reader.get("/quota/").content.decode()


@pytest.mark.django_db
def test_only_who_is_signed_in_sees_it(client: Client) -> None:
    assert client.get("/quota/")["Location"] == "/login/?next=/quota/"
    assert client.get("/api/quota/").status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("is_empty", [True, False])
def test_no_state_falls_back_to_english(
    reader: Client,
    request: pytest.FixtureRequest,
    chinese: None,  # noqa: F811
    is_empty: bool,
) -> None:
    if not is_empty:
        request.getfixturevalue("windows")
    reader.cookies["django_language"] = "zh-hans"
    html = reader.get("/quota/").content.decode()
    english = {words for words in leftovers(html) if not re.search(r"[\u4e00-\u9fff]", words)}
    assert english <= {"d", "bob@example.org", "reader"}
