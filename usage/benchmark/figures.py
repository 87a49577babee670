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
    """How fast `name` went, and how much memory its process took at most (MB; None: it is not of interest)."""

    name: str
    records: int
    seconds: float
    peak_mb: int | None = None

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
        figures = [
            msgspec.to_builtins(figure)
            | {"per_second": figure.per_second, "of_bare_insert": round(figure.per_second / bare, 4)}
            for figure in self.figures
        ]
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


def _row(figure: Figure, bare: int) -> tuple[str, ...]:
    return (
        figure.name, f"{figure.records:,}", f"{figure.seconds:.2f}", f"{figure.per_second:,}",
        f"{figure.per_second / bare:.1%}", "" if figure.peak_mb is None else str(figure.peak_mb),
    )  # fmt: skip


def _as_table(rows: Sequence[Sequence[str]]) -> str:
    """Align the first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
