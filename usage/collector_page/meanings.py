"""What each figure of the Collector page means."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from usage.meaning import meanings

_SERVER = meanings(
    ("lag", _("Lag"), _("Time since this server was last asked with success, or last told something itself")),
    ("minute", _("Requests, last minute"), _("Booked requests that began in the last minute")),
    ("hour", _("Requests, last hour"), _("Booked requests that began in the last 60 minutes")),
    ("day", _("Requests, last 24 h"), _("Booked requests that began in the last 24 hours")),
    (
        "completeness",
        _("Completeness"),
        _(
            "Booked ÷ (booked + missing), by CPA’s own counters of its accounts; ≈ as what went with a restart is estimated"
        ),
    ),
    ("interval", _("Poll interval"), _("Time from one question to the next")),
    ("retention", _("CPA keeps records for"), _("What nobody fetches within this time is gone")),
    ("success", _("Last success"), _("When an answer of this server was last booked, or was empty")),
    ("record", _("Last record"), _("When the newest booked request began")),
    ("accounts", _("Accounts fetched"), _("When the names of its accounts and API providers were last asked for")),
    ("booked", _("Records booked"), _("All requests of this server that were ever booked, each once")),
    ("duplicates", _("Duplicates dropped"), _("Records that came once more and were not booked again")),
    ("offset", _("Clock offset"), _("By how much its clock is ahead of ours, or behind")),
)

_GAPS = meanings(
    ("since", _("From"), _("Until then everything was recorded")),
    ("until", _("To"), _("From then on everything was recorded again")),
    ("length", _("Length"), _("From its beginning to its end; not all of it need be missing")),
    ("cause", _("Cause"), _("Why records may be missing")),
    ("lost", _("Requests lost"), _("What CPA’s own counters counted more; ≈ by the requests of the time before")),
    ("acknowledged", _("Acknowledged"), _("When somebody has seen to it: it stays hatched, but warns no more")),
)

_COMPLETENESS = meanings(
    ("counted", _("Counted by CPA"), _("Attempts that CPA’s own counter of this account counted since then")),
    ("missing", _("Missing"), _("Counted by CPA and never received")),
    ("share", _("Completeness"), _("Booked ÷ (booked + missing)")),
    ("since", _("Since"), _("From when on the counter is compared with the books")),
    ("compared", _("Compared"), _("When it was compared last")),
)

_QUARANTINE = meanings(
    ("received", _("Received"), _("When it came here from CPA")),
    ("reason", _("Reason"), _("Why it cannot be read as a record")),
    ("sample", _("Redacted sample"), _("How it begins, without keys and addresses; all of it is kept, encrypted")),
    ("size", _("Size"), _("Of all of it, as it came")),
)

_UNMATCHED = meanings(
    ("source", _("Source"), _("The provider, credential or address that its records name")),
    ("requests", _("Requests"), _("Upstream attempts of the last 7 days; a retried call counts each try")),
)

_QUALITY = meanings(
    ("complete", _("Tokens complete"), _("Every token is known to be input, cache or output")),
    ("estimated", _("Tokens estimated"), _("Sorted by a rule, where the counts of an older CPA leave it open")),
    ("unclassified", _("Tokens unclassified"), _("Part of the total is of no known kind, and has no price")),
    ("inconsistent", _("Tokens inconsistent"), _("The counts contradict each other")),
    ("without_usage", _("Without usage"), _("Succeeded requests of which upstream told no tokens")),
    ("without_request_id", _("Without request id"), _("Cannot be joined with other attempts of its client request")),
    ("without_ttft", _("Without TTFT"), _("Succeeded requests whose time to the first token is not known")),
    ("ahead", _("Ahead of our clock"), _("Requests that began more than 2 minutes after they were received")),
)

_STORAGE = meanings(
    ("database", _("Database"), _("Records, sums, indexes and everything else, on disk")),
    ("records", _("Records"), _("All that were ever booked; those past their retention live on in sums")),
    ("oldest", _("Oldest record"), _("The oldest request that can still be looked at one by one")),
    ("kept", _("Records are kept"), _("Older ones are deleted; their sums stay")),
    ("spool", _("Waiting in the spool"), _("Answers on disk that are not booked yet")),
    ("free", _("Disk free"), _("Where the spool, and a SQLite database, is")),
    ("size", _("Disk size"), _("The same disk, full or not")),
)

_JOBS = meanings(
    ("last", _("Last run"), _("How long ago it began")),
    ("duration", _("Duration"), _("From its beginning to its end")),
    ("next", _("Next"), _("When it is due again")),
)

MEANINGS = {
    "server": _SERVER, "gaps": _GAPS, "completeness": _COMPLETENESS, "quarantine": _QUARANTINE, "unmatched": _UNMATCHED,
    "quality": _QUALITY, "storage": _STORAGE, "jobs": _JOBS,
}  # fmt: skip
