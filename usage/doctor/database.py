"""The database: there, of this version, and where it can be trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from usage.doctor.diagnosis import FAIL, OK, WARN, Diagnosis
from usage.redaction import redact

# Their locks do not hold between machines, or their WAL has no shared memory: SQLite's own documents warn of both.
_NETWORK_FILE_SYSTEMS = (
    "nfs",
    "cifs",
    "smb",
    "9p",
    "ceph",
    "glusterfs",
    "afs",
    "fuse.sshfs",
    "fuse.rclone",
    "virtiofs",
)
_MOUNTS = Path("/proc/self/mounts")


def look() -> Iterator[Diagnosis]:
    """Where this yields a failure, no query is worth a try."""
    if connection.vendor == "sqlite" and not _file().exists():
        text = _("The database %(file)s does not exist yet.") % {"file": _file()}
        yield Diagnosis(FAIL, "database", text, _("Run `manage.py migrate`; `manage.py serve` does it by itself."))
        return
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        text = _("The database cannot be used: %(reason)s") % {"reason": _words(error)}
        yield Diagnosis(FAIL, "database", text, _("Is its server running, and DATABASE_URL right?"))
        return
    yield from _sqlite() if connection.vendor == "sqlite" else _server()
    yield from _migrations()


def _file() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _words(error: DatabaseError) -> str:
    return redact(str(error).strip(), connection.settings_dict.get("PASSWORD"))


def _server() -> Iterator[Diagnosis]:
    name = f"{connection.display_name} {'.'.join(map(str, connection.get_database_version()))}"
    yield Diagnosis(OK, "database", _("The database is %(name)s.") % {"name": name})


def _sqlite() -> Iterator[Diagnosis]:
    yield Diagnosis(OK, "database", _("The database is SQLite, in %(file)s.") % {"file": _file()})
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        mode = cursor.fetchone()[0]
    if mode != "wal":
        text = _("The database's journal is %(mode)s, not WAL: whoever reads keeps us from booking.") % {"mode": mode}
        mend = _("Move DATA_DIR to a disk of this machine; a disk of another machine may not have WAL.")
        yield Diagnosis(WARN, "journal", text, mend)
    kind = _file_system(_file().resolve())
    if kind.startswith(_NETWORK_FILE_SYSTEMS):
        text = _("The database lies on a disk of another machine (%(kind)s), where SQLite may break.") % {"kind": kind}
        mend = _("Move DATA_DIR to a disk of this machine, or use PostgreSQL: DATABASE_URL=postgres://…")
        yield Diagnosis(FAIL, "file_system", text, mend)


def _file_system(path: Path) -> str:
    """Return the kind of the file system that `path` lies on; empty where the system does not tell."""
    if not _MOUNTS.exists():
        return ""
    mounts = [line.split()[1:3] for line in _MOUNTS.read_text().splitlines()]
    # The last mount on a folder hides those before it; blanks in a name are written \040.
    kinds = {re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), place): kind for place, kind in mounts}
    return next((kinds[str(parent)] for parent in path.parents if str(parent) in kinds), "")


def _migrations() -> Iterator[Diagnosis]:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    unknown = {key for key in executor.loader.applied_migrations if key[0] == "usage"} - {
        *executor.loader.disk_migrations
    }
    if missing:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _backwards in missing)
        text = _("The database lacks migrations: %(names)s.") % {"names": names}
        yield Diagnosis(FAIL, "migrations", text, _("Run `manage.py migrate`; `manage.py serve` does it by itself."))
    elif unknown:
        text = _("The database was made by a newer CPA Meter: %(names)s.") % {
            "names": ", ".join(key[1] for key in unknown)
        }
        yield Diagnosis(FAIL, "migrations", text, _("Run the newer one again, or restore a back-up from before it."))
    else:
        yield Diagnosis(OK, "migrations", _("All migrations are applied."))
