"""What the filter bar shows (`ui.md` 4.2): everything in it is a link or a field of one form, and works without JavaScript."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_app.address import Address, Parameters
from channels_app.comparison import COMPARISONS, OFF, PREVIOUS, WEEK
from channels_app.filter_bar.choices import AllChoices, Choices
from channels_app.filter_bar.scope import PERIOD_PARAMETERS, Scope, default_comparison, default_range
from channels_app.filter_bar.shift import exact, shifted
from channels_app.filters import FAIL, OK, PARAMETERS
from channels_app.period import RANGES, Period
from channels_app.stats.seen import first_day
from channels_app.wrong import texts_of
from config.report_zone import report_zone
from usage import formats
from usage.models import Instance

_LABELS = {
    "server": gettext_lazy("Server"),
    "channel": gettext_lazy("Channel"),
    "account": gettext_lazy("Account"),
    "model": gettext_lazy("Model"),
    "key": gettext_lazy("API key"),
    "status": gettext_lazy("Status"),
    "code": gettext_lazy("Code"),
}
_COMPARISONS = {
    PREVIOUS: gettext_lazy("vs previous"),
    WEEK: gettext_lazy("vs weeks before"),
    OFF: gettext_lazy("No comparison"),
}
_STATUSES = {OK: gettext_lazy("Succeeded"), FAIL: gettext_lazy("Failed")}


@dataclass(frozen=True, slots=True)
class Option:
    """`is_next`: what a key turns to (`ui.md` 4.2)."""

    label: Promise | str
    address: Address
    is_current: bool
    is_next: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """Fields for the start or the end of a period of one's own: day and time are empty while a named one is shown, and `wrong`
    says why what they were set to is ignored. `first` and `last` are the days to choose from.
    """

    name: str
    label: Promise | str
    day: str
    time: str
    first: str
    last: str
    wrong: str


@dataclass(frozen=True, slots=True)
class Chip:
    """One value of a filter; `without` is the address that drops it: None where the page is of just that. `text` is empty
    where the label says all.
    """

    name: str
    label: Promise | str
    text: str
    without: Address | None

    def __str__(self) -> str:
        return _("%(label)s: %(text)s") % {"label": self.label, "text": self.text} if self.text else str(self.label)


@dataclass(frozen=True, slots=True)
class Menu:
    """A filter and what it can be set to; `text` says what it is set to, `wrong` what of it is ignored, and `clear` is the
    address without it.
    """

    name: str
    label: Promise | str
    text: str
    choices: Choices
    clear: Address
    wrong: str = ""


class FilterBar:
    """`address` is the page's own: what its links and its form carry along. `compares`: the page shows a comparison.

    A page may have menus of its own in the form (`template`): `fields` are the parameters that these set, of which
    `chips` are shown, and cleared with the others. `locked` are filters that cannot be chosen, because of what the
    page itself is of: that stays as a chip. `intervals` are those that its charts may have;
    `columns_of` is the table whose columns can be chosen (one of columns.TABLES).
    """

    def __init__(
        self,
        scope: Scope,
        address: Address,
        *,
        compares: bool = False,
        template: str = "",
        fields: Collection[str] = (),
        chips: Sequence[Chip] = (),
        locked: Sequence[str] = (),
        intervals: Sequence[Option] = (),
        columns_of: str = "",
    ) -> None:
        self.scope, self.address, self.compares = scope, address, compares
        self.template, self._fields, self._chips, self._locked = template, fields, chips, locked
        self.intervals, self.columns_of, self._choices = intervals, columns_of, AllChoices(scope)

    @property
    def range_text(self) -> str:
        return str(RANGES.get(self.scope.period.name, _("Custom range")))

    @property
    def period_text(self) -> str:
        return text_of(self.scope.period)

    @property
    def ranges(self) -> list[Option]:
        current = self.scope.period.name
        return [Option(label, self.ranging(name), name == current) for name, label in RANGES.items()]

    def ranging(self, name: str) -> Address:
        return self._spanning("range", "" if name == default_range() else name)

    def _spanning(self, *values: str) -> Address:
        """The same for another period: names of parameters and their values in turn."""
        address = self.address.without(*PERIOD_PARAMETERS)
        for name, value in zip(values[::2], values[1::2], strict=True):
            address = address.setting(name, value)
        return address

    def _between(self, ends: tuple[str, str]) -> Address:
        return self._spanning("from", ends[0], "to", ends[1])

    @property
    def earlier(self) -> Address | None:
        return self._between(shifted(self.scope.period, -1)) if self.scope.period.has_start else None

    @property
    def later(self) -> Address | None:
        """Nothing is known of what is still to come."""
        period = self.scope.period
        return None if period.is_running or not period.has_start else self._between(shifted(period, 1))

    @property
    def exact(self) -> Address:
        """This very period for whoever opens it, whenever that is."""
        if not self.scope.period.has_start:
            return self.address
        return self._between(exact(self.scope.period)).setting("tz", self.scope.period.zone.key)

    @property
    def fields(self) -> list[Moment]:
        labels = {"from": gettext_lazy("From"), "to": gettext_lazy("To (included)")}
        period, oldest = self.scope.period, first_day()
        first = f"{oldest.astimezone(period.zone):%Y-%m-%d}" if oldest else ""
        last = f"{period.asked_at.astimezone(period.zone):%Y-%m-%d}"
        return [
            Moment(name, label, *self._field(name), first, last, texts_of(name, self.scope.wrong))
            for name, label in labels.items()
        ]

    def _field(self, name: str) -> tuple[str, str]:
        """Day and time; of what cannot be read, as it was written."""
        value, period = next(iter(self.address.values(name)), ""), self.scope.period
        if not value:
            day, _t, time = next((one.value for one in self.scope.wrong if one.name == name), "").partition("T")
            return day, time
        if "T" not in value:
            return value, ""
        moment = (period.since if name == "from" else period.until).astimezone(period.zone)
        return f"{moment:%Y-%m-%d}", f"{moment:%H:%M}"

    @property
    def wrong_range(self) -> str:
        """Why the named range that was asked for is ignored."""
        return texts_of("range", self.scope.wrong) or texts_of("days", self.scope.wrong)

    @property
    def hidden(self) -> Parameters:
        """What the form carries along that is no field of it; what is locked narrows down what can be chosen."""
        locked = self.scope.address.only(self._locked)
        return (*self.address.without(*PARAMETERS, *self._fields, "from", "to").parameters, *locked.parameters)

    @property
    def comparison_text(self) -> Promise | str:
        return _COMPARISONS[self.scope.comparison]

    @property
    def comparisons(self) -> list[Option]:
        """A key turns it off, and on again."""
        current, usual = self.scope.comparison, default_comparison()
        other = OFF if current != OFF else PREVIOUS if usual == OFF else usual
        return [
            Option(
                _COMPARISONS[name],
                self.address.setting("cmp", "" if name == usual else name),
                name == current,
                name == other,
            )
            for name in COMPARISONS
        ]

    @property
    def other_basis(self) -> Address:
        return self.scope.other_basis(self.address)

    @property
    def interval(self) -> Option | None:
        """The present one; None where nobody asked for one."""
        return next((one for one in self.intervals[1:] if one.is_current), None)

    @property
    def zone_text(self) -> str:
        return formats.utc_offset(timezone.localtime(timezone=self.scope.period.zone))

    @property
    def zones(self) -> list[Option]:
        """The zone of this installation, UTC, and the one that the address asks for."""
        site, zone = report_zone().key, self.scope.period.zone.key
        return [
            Option(
                _("Site zone: %(zone)s") % {"zone": text} if name == site else text, self.in_zone(name), name == zone
            )
            for name, text in ((name, _zone_text(name)) for name in dict.fromkeys((site, "UTC", zone)))
        ]

    def in_zone(self, name: str) -> Address:
        return self.address.setting("tz", "" if name == report_zone().key else name)

    @cached_property
    def menus(self) -> list[Menu]:
        """Which server is a question only where there are several."""
        names = ["channel", "account", "model", "key"]
        if Instance.objects.count() > 1 or self.scope.filters.servers:
            names.insert(0, "server")
        return [self.menu(name) for name in names if name not in self._locked]

    def menu(self, name: str, search: str = "") -> Menu:
        chosen = self._choices.chosen(name)
        text = chosen[0].name if len(chosen) == 1 else formats.grouped(len(chosen)) if chosen else ""
        wrong = texts_of(name, self.scope.filters.wrong)
        return Menu(name, _LABELS[name], text, self._choices.of(name, search), self.address.without(name), wrong)

    @cached_property
    def codes(self) -> Menu:
        return self.menu("code")

    @property
    def statuses(self) -> list[tuple[str, Promise | str, bool]]:
        current = self.scope.filters.status
        return [("", _("All"), not current), *((name, label, name == current) for name, label in _STATUSES.items())]

    @property
    def wrong_status(self) -> str:
        return texts_of("status", self.scope.filters.wrong)

    @property
    def status_text(self) -> str:
        status = self.scope.filters.status
        return self.codes.text or (str(_STATUSES[status]) if status else "")

    @property
    def any_status(self) -> Address:
        return self.address.without("status", "code")

    @cached_property
    def chips(self) -> list[Chip]:
        found = []
        for name, value in self.scope.filters.parameters:
            if name != "status":
                text = next((one.name for one in self._choices.chosen(name) if one.value == value), value)
            elif self.scope.filters.status:
                text = str(_STATUSES[value])
            else:
                continue  # either of two is both
            without = None if name in self._locked else self.address.removing(name, value)
            found.append(Chip(name, _LABELS[name], text, without))
        return [*found, *self._chips]

    @property
    def is_filtered(self) -> bool:
        """Whether there is anything to clear."""
        return self.count > 0

    @property
    def count(self) -> int:
        """How many values are filtered, besides what the page itself is of."""
        return sum(chip.without is not None for chip in self.chips)

    @property
    def clear(self) -> Address:
        return self.address.without(*PARAMETERS, *(chip.name for chip in self._chips))

    @property
    def filters_text(self) -> str:
        """The filters in words, for who found nothing."""
        return _(", ").join(map(str, self.chips))

    @property
    def wider(self) -> list[Option]:
        names = [name for name in ("7d", "30d", "all") if name != self.scope.period.name]
        return [Option(RANGES[name], self.ranging(name), False) for name in names]


def words_of(period: Period) -> str:
    """Return the name of a period; of one without, its ends."""
    return str(RANGES[period.name]) if period.name else text_of(period)


def text_of(period: Period) -> str:
    """Return the resolved period with the offset of its zone."""
    now = timezone.now()
    end = formats.minute(period.last_moment, period.zone, now)
    offset = formats.utc_offset(period.last_moment)
    if not period.has_start:
        return _("until %(end)s (%(zone)s)") % {"end": end, "zone": offset}
    since = formats.minute(period.since, period.zone, now)
    return _("%(since)s – %(end)s (%(zone)s)") % {"since": since, "end": end, "zone": offset}


def _zone_text(name: str) -> str:
    offset = formats.utc_offset(timezone.localtime(timezone=ZoneInfo(name)))
    return offset if name == offset else f"{offset} {name}"
