"""What was measured, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles
from typing import Any, NamedTuple

import msgspec


class Spread(NamedTuple):
    """Median and 95th percentile, in milliseconds."""

    p50: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        cuts = quantiles(seconds, n=20, method="inclusive")
        return cls(round(cuts[9] * 1_000, 1), round(cuts[18] * 1_000, 1))


class Figure(msgspec.Struct):
    """How fast `name` went, how much memory its process took at most (MB), and for how many seconds it kept a core busy;
    None: it is not of interest.
    """

    name: str
    records: int
    seconds: float
    peak_mb: int | None = None
    core_seconds: float | None = None

    @property
    def per_second(self) -> int:
        return round(self.records / self.seconds)


class Findings(msgspec.Struct):
    """One run. `visible` is from a record's end at the proxy to its first sight in the API, `page` a reader's wait.

    The first of `figures` is the bare insert, to which the others are compared.
    """

    engine: str
    mode: str
    readers: int
    figures: list[Figure]
    visible: Spread
    page: Spread

    def as_dict(self) -> dict[str, Any]:
        bare = self.figures[0].per_second
        figures = [_figure(figure) | {"of_bare_insert": round(figure.per_second / bare, 4)} for figure in self.figures]
        spreads = {"visible_ms": self.visible._asdict(), "page_ms": self.page._asdict()}
        return {"engine": self.engine, "mode": self.mode, "readers": self.readers, "figures": figures} | spreads

    def as_text(self) -> str:
        header = ("", "records", "seconds", "records/s", "of bare insert", "peak MB")
        bare = self.figures[0].per_second
        return "\n".join(
            [
                _as_table([header, *(_row(figure, bare) for figure in self.figures)]),
                f"{self.engine}, by {self.mode}, {self.readers} readers of pages",
                f"a record is visible in the API after {self.visible.p50:.0f} ms (p95 {self.visible.p95:.0f} ms)",
                f"a page takes {self.page.p50:.0f} ms (p95 {self.page.p95:.0f} ms)",
            ]
        )


class Repriced(msgspec.Struct):
    """One run over a ledger of so many records; `load` is how fast they came in (None: they were there). `booked` is how long
    records waited to be booked beside the last of `figures`.
    """

    engine: str
    records: int
    load: Figure | None
    figures: list[Figure]
    booked: Spread

    def as_dict(self) -> dict[str, Any]:
        load, *figures = (one and _figure(one) for one in (self.load, *self.figures))
        facts = {"engine": self.engine, "records": self.records, "load": load, "figures": figures}
        return facts | {"booked_ms": self.booked._asdict()}

    def as_text(self) -> str:
        header = ("", "records", "seconds", "records/s", "µs of a core", "peak MB")
        rows = [
            (
                one.name, f"{one.records:,}", f"{one.seconds:,.1f}", f"{one.per_second:,}",
                "" if one.core_seconds is None else f"{one.core_seconds / one.records * 1e6:.1f}", str(one.peak_mb or ""),
            )
            for one in ([self.load] if self.load else []) + self.figures
        ]  # fmt: skip
        return "\n".join(
            [
                _as_table([header, *rows]),
                f"{self.engine}, {self.records:,} records",
                f"meanwhile a record is booked after {self.booked.p50:.0f} ms (p95 {self.booked.p95:.0f} ms)",
            ]
        )


class Answer(msgspec.Struct):
    """How long one question takes when it was `asked` with these parameters of an address, in milliseconds.

    `cold_ms` is the median of first askings, `raw_ms` what it takes of the records alone (None: not measured), and
    `differs` whether these gave another answer, which is a fault.
    """

    question: str
    asked: str
    warm: Spread
    cold_ms: float
    raw_ms: float | None = None
    differs: bool = False

    @property
    def ratio(self) -> float | None:
        return None if self.raw_ms is None else round(self.raw_ms / max(self.warm.p50, 0.1), 1)


class Answers(msgspec.Struct):
    """One run over a ledger of so many records; `load` is how fast they came in (None: they were there)."""

    engine: str
    records: int
    bytes_per_record: int
    load: Figure | None
    answers: list[Answer]

    def as_dict(self) -> dict[str, Any]:
        load = self.load and _figure(self.load)
        answers = [
            {"question": one.question, "asked": one.asked, "warm_ms": one.warm._asdict(), "cold_ms": one.cold_ms}
            | {"raw_ms": one.raw_ms, "ratio": one.ratio, "differs": one.differs}
            for one in self.answers
        ]
        facts = {"engine": self.engine, "records": self.records, "bytes_per_record": self.bytes_per_record}
        return facts | {"load": load, "answers": answers}

    def as_text(self) -> str:
        header = ("", "", "p50 ms", "p95 ms", "cold ms", "raw ms", "ratio")
        load = f", loaded at {self.load.per_second:,} a second" if self.load else ""
        return "\n".join(
            [
                _as_table([header, *map(_answer_row, self.answers)], words=2),
                f"{self.engine}, {self.records:,} records of {self.bytes_per_record} bytes{load}",
            ]
        )


def _figure(figure: Figure) -> dict[str, Any]:
    return msgspec.to_builtins(figure) | {"per_second": figure.per_second}  # type: ignore[no-any-return]


class ViewTime(msgspec.Struct):
    """`took` is the server's time in ms; `kilobytes` those of the compressed page."""

    view: str
    took: Spread
    kilobytes: float


class Views(msgspec.Struct):
    """One run over the demo with so many records."""

    engine: str
    records: int
    views: list[ViewTime]

    def as_dict(self) -> dict[str, Any]:
        views = [{"view": one.view, "ms": one.took._asdict(), "kilobytes": one.kilobytes} for one in self.views]
        return {"engine": self.engine, "records": self.records, "views": views}

    def as_text(self) -> str:
        rows = [(one.view, f"{one.took.p50:.0f}", f"{one.took.p95:.0f}", f"{one.kilobytes:.1f}") for one in self.views]
        header = ("", "p50 ms", "p95 ms", "KB")
        return "\n".join([_as_table([header, *rows]), f"{self.engine}, {self.records:,} records of the demo"])


def _answer_row(one: Answer) -> tuple[str, ...]:
    return (
        one.question, one.asked, f"{one.warm.p50:.1f}", f"{one.warm.p95:.1f}", f"{one.cold_ms:.1f}",
        "" if one.raw_ms is None else f"{one.raw_ms:,.0f}",
        "WRONG" if one.differs else "" if one.ratio is None else f"{one.ratio:,.0f}",
    )  # fmt: skip


def _row(figure: Figure, bare: int) -> tuple[str, ...]:
    return (
        figure.name, f"{figure.records:,}", f"{figure.seconds:.2f}", f"{figure.per_second:,}",
        f"{figure.per_second / bare:.1%}", "" if figure.peak_mb is None else str(figure.peak_mb),
    )  # fmt: skip


def _as_table(rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Align the first columns, so many of `words`, to the left; numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at >= words else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
