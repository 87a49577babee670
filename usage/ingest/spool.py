"""What a server gave, on disk: durable before anything reads it, in the order of its coming, kept until it is booked."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from django.conf import settings


class Kind(StrEnum):
    """What a capture holds."""

    QUEUE = "queue"  # an answer of the usage queue: a JSON array
    POPPED = "popped"  # a reply to LPOP, as RESP2 writes it
    MESSAGES = "messages"  # messages of a subscription, as RESP2 writes them
    SNAPSHOT = "legacy"  # an answer of /usage
    NAMES = "names"  # the accounts and keys that the server lists
    RECKONING = "reckoning"  # what may have gone missing, and the server's own counters


@dataclass(frozen=True, slots=True)
class Capture:
    """One file of the spool."""

    path: Path

    @property
    def kind(self) -> Kind:
        return Kind(self.path.suffix.removeprefix("."))

    @property
    def received_at(self) -> int:
        """When it began to arrive, in microseconds since 1970 UTC."""
        return int(self.path.stem.partition("-")[0]) // 1_000

    def read(self) -> bytes:
        return self.path.read_bytes()

    def discard(self) -> None:
        """Forget the bytes: they are booked."""
        self.path.unlink(missing_ok=True)


class Spool:
    """The captures of one instance, each a file that its writer holds locked until it is whole.

    Files are for their owner only: they hold client keys in clear until they are booked.
    """

    def __init__(self, instance_id: int) -> None:
        self.folder = settings.SPOOL_DIR / str(instance_id)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def receive(self, kind: Kind, *, waits: bool = False) -> Iterator[Receiver]:
        """Open a new capture; what was written is on disk when the block ends, also by an exception.

        It is opened before the server is asked, so that a disk that refuses us leaves the records where they are. For
        what is here already it `waits` until there is room for a file.
        """
        capture, descriptor = self._create_when_there_is_room(kind) if waits else self._create(kind)
        try:
            yield Receiver(capture, descriptor)
        finally:
            os.fsync(descriptor)
            if not os.fstat(descriptor).st_size:
                capture.discard()
            os.close(descriptor)

    def keep(self, kind: Kind, data: bytes, *, waits: bool = False) -> None:
        """Write a capture that is there as a whole."""
        with self.receive(kind, waits=waits) as receiver:
            receiver.write([data])

    def names(self) -> list[str]:
        """Return the files of all captures, oldest first, those included that are still being written.

        After hours without the database they are hundreds of thousands.
        """
        with os.scandir(self.folder) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith("."))

    def is_empty(self) -> bool:
        with os.scandir(self.folder) as entries:
            return all(entry.name.startswith(".") for entry in entries)

    @contextmanager
    def hold(self, path: Path) -> Iterator[Capture | None]:
        """Hold a capture while the block lasts; None if its writer or another reader holds it, or nothing is in it."""
        with _locked(path) as is_ours:
            yield Capture(path) if is_ours and not _is_abandoned(path) else None

    def waiting(self) -> Iterator[Capture]:
        """Yield the captures that no one else is writing or booking, oldest first, each held until the next."""
        for name in self.names():
            with self.hold(self.folder / name) as capture:
                if capture:
                    yield capture

    def _create_when_there_is_room(self, kind: Kind) -> tuple[Capture, int]:
        while True:
            try:
                return self._create(kind)
            except OSError as error:
                if error.errno not in _DISK_IS_FULL:
                    raise
            time.sleep(_LOOK_FOR_ROOM_SECONDS)

    def _create(self, kind: Kind) -> tuple[Capture, int]:
        """Return a new file, locked; one that a reader took for abandoned before we had the lock is made anew."""
        while True:
            path = self.folder / f"{_next_instant()}-{os.getpid()}.{kind}"
            # By appending, what is written again after a cut begins where the file ends.
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                _sync_folder(self.folder)
                return Capture(path), descriptor
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Writes what arrives."""

    capture: Capture
    descriptor: int

    def write(self, chunks: Iterable[bytes]) -> None:
        """Write all of `chunks`. Where the disk is full, the rest is fetched all the same and waits for room."""
        chunks = iter(chunks)
        for chunk in chunks:
            try:
                self._write_whole(chunk)
            except OSError as error:
                if error.errno not in _DISK_IS_FULL:
                    raise
                self._write_the_rest(chunk, chunks)

    def make_durable(self) -> None:
        os.fsync(self.descriptor)

    def forget(self) -> None:
        """Nothing came that is worth keeping."""
        os.ftruncate(self.descriptor, 0)

    def _write_whole(self, data: bytes) -> None:
        view = memoryview(data)
        start = os.fstat(self.descriptor).st_size
        try:
            while view:
                view = view[os.write(self.descriptor, view) :]
        except OSError:
            os.ftruncate(self.descriptor, start)  # so that it can be written again as a whole
            raise

    def _write_the_rest(self, chunk: bytes, chunks: Iterable[bytes]) -> None:
        fetched = [chunk]
        try:
            fetched.extend(chunks)
        finally:  # also when the server breaks off
            self._write_when_there_is_room(b"".join(fetched))

    def _write_when_there_is_room(self, data: bytes) -> None:
        while True:
            time.sleep(_LOOK_FOR_ROOM_SECONDS)
            try:
                return self._write_whole(data)
            except OSError as error:
                if error.errno not in _DISK_IS_FULL:
                    raise


_DISK_IS_FULL = {errno.ENOSPC, errno.EDQUOT}
_LOOK_FOR_ROOM_SECONDS = 0.5


def has_room() -> bool:
    """Whether the disk has room for what a server may send at once; below that nothing is taken any more."""
    return bool(shutil.disk_usage(settings.SPOOL_DIR).free >= settings.SPOOL_FREE_BYTES)


class Presence:
    """Says beyond the death of a process until when a server was read, and what its reader remembered of it."""

    def __init__(self, spool: Spool) -> None:
        self._path = spool.folder / ".presence"
        self._descriptor: int | None = None

    def begin(self) -> tuple[float, bytes] | None:
        """Be the reader of this server; return until when (seconds since 1970) there was one, and what it remembered.

        None where there was none before, or where another process reads right now and sees to it.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _try_lock(descriptor):
            os.close(descriptor)
            return None
        self._descriptor = descriptor
        seen = os.fstat(descriptor)
        memory = os.pread(descriptor, seen.st_size, 0)
        return (seen.st_mtime, memory.partition(b"\n")[0]) if memory else None

    @property
    def is_ours(self) -> bool:
        """Whether we are the reader."""
        return self._descriptor is not None

    def touch(self, until: float) -> None:
        """The server was read until `until`, in seconds since 1970."""
        if self._descriptor is not None:
            os.utime(self._descriptor, (until, until))

    def remember(self, memory: bytes) -> None:
        """Have the next reader know `memory`, one line, whatever becomes of us."""
        if self._descriptor is not None:
            seen = os.fstat(self._descriptor).st_mtime
            os.pwrite(self._descriptor, memory + b"\n", 0)  # at once: of a longer one before it, only the rest stays
            os.utime(self._descriptor, (seen, seen))

    def end(self) -> None:
        """Leave."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_MOMENT = 1_000_000_000
_instant = time.time_ns()
_instant_lock = threading.Lock()


def _next_instant() -> int:
    """Return nanoseconds since 1970, later than all before, unless the clock was set back by more than a moment."""
    global _instant
    with _instant_lock:
        now = time.time_ns()
        _instant = max(_instant + 1, now) if _instant - now < _MOMENT else now
        return _instant


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the lock of `path` if nobody else does and the file is still there; yield whether so."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0  # else: booked and removed between our look and our lock


def _is_abandoned(path: Path) -> bool:
    """Whether nothing ever arrived in it: its writer died, or holds it for a moment yet without the lock."""
    if path.stat().st_size:
        return False
    path.unlink()
    return True


def _sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
