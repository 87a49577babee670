"""What a test that kills things stands on: a collector in a process of its own, and the books of both sides compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.collecting import eventually
from tests.conftest import process_environment
from tests.fake_cpa.journal import Run
from tests.fake_cpa.process import FakeProcess
from usage.accounting.payload import DEDUP_BYTES
from usage.ingest import rollup
from usage.models import (
    Account,
    CollectionGap,
    CollectorProcess,
    Instance,
    QuarantinedPayload,
    Reconciliation,
    UsageRecord,
)
from usage.secrets import decrypt

KEY = "mgmt-FAKE-0001"
_PROJECT = Path(__file__).parents[1]
# Clocks of one machine, read one after the other.
_TOLERANCE_SECONDS = 0.05


class CollectProcess:
    """`manage.py collect` on the database of this test, with a data folder of its own. Use as a context."""

    def __init__(self, data_dir: Path, **environment: str | float) -> None:
        data_dir.mkdir()
        self.data_dir = data_dir
        self.starts = 0
        self._environment = {name: str(value) for name, value in environment.items()}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.data_dir / "collect.log").read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def role(self) -> str:
        """As it says in the database; empty before it does."""
        row = CollectorProcess.objects.filter(name__endswith=f":{self.pid}").first()
        return row.role if row else ""

    def start(self) -> None:
        self.starts += 1
        with (self.data_dir / "collect.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "collect"],
                env=process_environment(self.data_dir) | self._environment,
                cwd=_PROJECT,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def manage(self, *words: str) -> None:
        """Run another command on the same database. Raises CalledProcessError."""
        environment = process_environment(self.data_dir) | self._environment
        subprocess.run(
            [sys.executable, "manage.py", *words, "--skip-checks"], env=environment, cwd=_PROJECT, check=True
        )

    def spooled(self, kind: str = "") -> list[Path]:
        """What lies in the spool."""
        return [path for path in (self.data_dir / "spool").glob(f"*/[!.]*{kind}") if path.is_file()]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=60)
            self._process = None


@dataclass(slots=True)
class Books:
    """What the fake did in all its lives, beside what is in our database."""

    runs: list[Run] = field(repr=False)
    emitted: list[bytes] = field(repr=False)
    handed_out: list[bytes] = field(repr=False)
    booked: Counter[bytes] = field(repr=False)
    # When each record was emitted, in seconds since 1970 UTC.
    at: dict[bytes, float] = field(repr=False)

    @property
    def missing(self) -> list[bytes]:
        """Emitted and not booked."""
        return [record for record in self.emitted if identity(record) not in self.booked]

    @property
    def missing_listed(self) -> list[bytes]:
        """Those of them that the counters of the fake tell of: one key of its traffic is in no list any more."""
        return [record for record in self.missing if b"removed-relay" not in record]

    def assert_exact(self) -> None:
        """Nothing is booked that was not handed out, nothing twice, and the sums are those of the records."""
        assert not set(self.booked) - {identity(record) for record in self.handed_out}
        assert [count for count in self.booked.values() if count > 1] == []
        assert len({identity(record) for record in self.emitted}) == len(self.emitted), "the fake repeated itself"
        assert rollup.differences() == []

    def assert_spanned(self, records: Iterable[bytes]) -> None:
        """Each of `records` was emitted within a gap."""
        gaps = [(gap.since.timestamp(), gap.until.timestamp()) for gap in CollectionGap.objects.all()]
        outside = [
            at
            for at in (self.at[record] for record in records)
            if not any(since - _TOLERANCE_SECONDS <= at <= until + _TOLERANCE_SECONDS for since, until in gaps)
        ]
        assert outside == [], f"{len(outside)} lost at {outside[:3]}, not in {sorted(gaps)}"

    def assert_quarantine_explained(self) -> None:
        """All that is quarantined is the beginning of a record that is missing."""
        missing = [record.decode("utf-8", "backslashreplace") for record in self.missing]
        for row in QuarantinedPayload.objects.all():
            beginning = _without_frame(decrypt(row.encrypted_payload))
            assert any(record.startswith(beginning) for record in missing), (row.reason, beginning[:80])


def told_gaps() -> list[dict[str, Any]]:
    """Return all of them, so that one that should not be there tells what it is."""
    return list(CollectionGap.objects.values("cause", "since", "until", "lost", "is_measured"))


def read_books(fake: FakeProcess) -> Books:
    runs = fake.runs
    return Books(
        runs=runs,
        emitted=[record for run in runs for record in run.emitted],
        handed_out=[record for run in runs for record in run.handed_out],
        booked=Counter(bytes(key) for key in UsageRecord.objects.values_list("dedup_key", flat=True).iterator()),
        at={record: at for run in runs for record, at in _moments(run.emitted)},
    )


def identity(record: bytes) -> bytes:
    return blake2b(record, digest_size=16).digest()[:DEDUP_BYTES]


def measured_loss() -> int:
    return sum(gap.lost or 0 for gap in CollectionGap.objects.filter(is_measured=True))


def read_from_process(fake: FakeProcess, mode: str) -> Instance:
    """Return a new server in our database that is `fake`."""
    instance = Instance(name=f"CPA {fake.port}", base_url=fake.base_url, mode=mode)
    instance.management_key = KEY
    instance.save()
    return instance


def quiet(fake: FakeProcess) -> None:
    """Pause the traffic, and wait until nothing more is emitted or handed out."""
    fake.pause()
    before = -1
    while before != (now := fake.journal.stat().st_size):
        before = now
        time.sleep(0.3)


def all_is_compared() -> bool:
    """Whether the counters of each account were compared with what is booked."""
    return 0 < Account.objects.count() == Reconciliation.objects.count()


def wait_for_news(fake: FakeProcess, event: bytes = b"handed_out") -> None:
    """Wait until the fake writes down another such event."""
    with fake.journal.open("rb") as journal:
        journal.seek(0, os.SEEK_END)
        eventually(lambda: b"\n" + event in b"\n" + journal.read(), 60)


def _moments(emitted: list[bytes]) -> list[tuple[bytes, float]]:
    """When each record of one life was emitted: retries tell a later time, so none was later than those after it."""
    moments: list[tuple[bytes, float]] = []
    latest = _told(emitted[-2]) if len(emitted) > 1 else float("inf")  # the last one may be a retry
    for record in reversed(emitted):
        latest = min(latest, _told(record))
        moments.append((record, latest))
    return moments


def _told(record: bytes) -> float:
    return datetime.fromisoformat(json.loads(record)["timestamp"]).timestamp()


def _without_frame(text: str) -> str:
    """Leave out what RESP and JSON put before a record."""
    at = text.find('{"timestamp"')
    return text[at:] if at >= 0 else ""
