"""A full disk: nothing more is taken, and nothing that was taken is lost."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collecting import collecting, eventually
from tests.fake_cpa import FakeCPA
from tests.test_gaps import emit
from tests.traffic import OPENROUTER, fake_cpa, read_from
from usage.models import CollectionGap, Instance, QuarantinedPayload, UsageRecord

Mode, State, Way = Instance.Mode, Instance.State, Instance.Way

pytestmark = pytest.mark.django_db(transaction=True)

_KIB = 1024
_INODES = 200


class Disk:
    """A small file system for the spool."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / ".ballast"

    def fill(self, *, left: int) -> None:
        """Leave so many bytes free."""
        with self._ballast.open("wb") as ballast:
            ballast.write(b"." * (shutil.disk_usage(self.folder).free - left))

    def fill_with_files(self) -> None:
        """Leave room for bytes, and for no file."""
        self._ballast.mkdir()
        with pytest.raises(OSError, match="No space left"):
            for number in range(_INODES):
                (self._ballast / str(number)).touch()

    def clear(self) -> None:
        if self._ballast.is_dir():
            shutil.rmtree(self._ballast)
        else:
            self._ballast.unlink()


@pytest.fixture(autouse=True)
def quick_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that stays full is tried many times, and one with room again is seen soon."""
    monkeypatch.setattr("usage.collection.rhythm._LONGEST_BACKOFF", 0.2)
    monkeypatch.setattr("usage.collection.rhythm._LISTENING_SECONDS", 0.2)


@pytest.fixture
def disk(tmp_path: Path, settings: Any) -> Iterator[Disk]:
    settings.SPOOL_DIR.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no mount(8)")
    options = f"size={4096 * _KIB},nr_inodes={_INODES}"
    mounting = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(settings.SPOOL_DIR)]
    mounted = subprocess.run(mounting, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield Disk(settings.SPOOL_DIR)
    subprocess.run(["umount", "--lazy", str(settings.SPOOL_DIR)], check=True)


@pytest.fixture(params=["7.2.140"])
def cpa(request: pytest.FixtureRequest) -> Iterator[FakeCPA]:
    with fake_cpa(request.param) as cpa:
        cpa.credentials.add_oauth("codex", "dave@example.com")
        cpa.credentials.add_compat("OpenRouter", "https://openrouter.example/api/v1", OPENROUTER[0])
        emit(cpa, 10)
        yield cpa


def _state(instance: Instance) -> str:
    return Instance.objects.get(pk=instance.pk).state


def _assert_nothing_is_missing(records: int) -> None:
    eventually(lambda: UsageRecord.objects.count() == records)
    assert QuarantinedPayload.objects.count() == 0
    assert CollectionGap.objects.count() == 0


@pytest.mark.parametrize("mode", [Mode.QUEUE, Mode.SUBSCRIBE])
def test_a_full_disk_leaves_the_records_to_the_server(disk: Disk, cpa: FakeCPA, mode: str, settings: Any) -> None:
    settings.POLL_SECONDS, settings.SPOOL_FREE_BYTES = 0.1, 256 * _KIB
    instance = read_from(cpa, mode)
    with collecting():
        eventually(lambda: UsageRecord.objects.count() == 10)
        disk.fill(left=128 * _KIB)
        eventually(lambda: _state(instance) == State.DISK_FULL)
        assert "the disk is full" in Instance.objects.get(pk=instance.pk).state_text
        eventually(lambda: cpa.subscribers == 0)
        emit(cpa, 30)
        time.sleep(1)
        assert cpa.subscribers == 0
        assert len(cpa.queue) == 30
        assert UsageRecord.objects.count() == 10
        disk.clear()
        eventually(lambda: _state(instance) == State.OK)
        _assert_nothing_is_missing(40)


@pytest.mark.parametrize("cpa", ["7.2.140", "6.10.0"], indirect=True)
def test_an_answer_that_finds_no_room_waits_for_it(disk: Disk, cpa: FakeCPA, settings: Any) -> None:
    """By HTTP and by RESP."""
    settings.POLL_SECONDS, settings.SPOOL_FREE_BYTES = 0.1, 16 * _KIB
    disk.fill(left=64 * _KIB)
    emit(cpa, 400)
    read_from(cpa)
    with collecting():
        eventually(lambda: not cpa.queue)
        time.sleep(1)
        assert UsageRecord.objects.count() == 0
        disk.clear()
        _assert_nothing_is_missing(410)


@pytest.mark.parametrize("lack", ["bytes", "files"])
def test_messages_that_find_no_room_wait_for_it(disk: Disk, cpa: FakeCPA, lack: str, settings: Any) -> None:
    settings.SPOOL_FREE_BYTES = 16 * _KIB
    instance = read_from(cpa, Mode.SUBSCRIBE)
    with collecting():
        eventually(lambda: Instance.objects.get(pk=instance.pk).way == Way.SUBSCRIPTION)
        eventually(lambda: UsageRecord.objects.count() == 10)
        disk.fill(left=20 * _KIB) if lack == "bytes" else disk.fill_with_files()
        emit(cpa, 150)
        time.sleep(1)
        assert UsageRecord.objects.count() < 160
        disk.clear()
        _assert_nothing_is_missing(160)
