"""`python -m tests.fake_cpa`: a fake CPA with lively traffic, for the demo and for trying things by hand."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from threading import Event, Thread

from tests.fake_cpa.fake import FakeCPA
from tests.fake_cpa.journal import JournalBookkeeping
from tests.fake_cpa.traffic import Traffic
from tests.fake_cpa.usage_queue import MAX_RETENTION_SECONDS

_SECONDS = {"s": 1, "m": 60, "h": 3600}
# Enough of the logs to look at; a demo runs for weeks.
_KEPT_LOG_ENTRIES = 1000
_END = {signal.SIGTERM, signal.SIGINT}
# A test wants silence, to compare what is there, and then traffic again.
PAUSE, GO_ON = signal.SIGUSR1, signal.SIGUSR2


def rate(text: str) -> float:
    """Read `2/s`, `30/m` or `0` as requests per second."""
    number, _, unit = text.partition("/")
    try:
        return float(number) / _SECONDS[unit or "s"]
    except (ValueError, KeyError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate; write it like 2/s, 30/m or 100/h") from None


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fake_cpa", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8317)
    parser.add_argument("--profile", default="7.2.140", help="the release to imitate")
    parser.add_argument("--key", default="mgmt-FAKE-0001", help="the management key")
    parser.add_argument("--allow-remote", action="store_true", help="let other machines use the management API")
    parser.add_argument("--traffic", type=rate, default="2/s", help="client requests at the busiest hour; 0 for none")
    parser.add_argument("--rate", type=float, default=0, help="records per second, day and night; instead of --traffic")
    parser.add_argument("--burst", type=int, default=1, help="with --rate: so many records at a time")
    parser.add_argument("--retention", type=int, default=MAX_RETENTION_SECONDS, help="seconds that a record is queued")
    parser.add_argument("--journal", type=Path, help="append to this file what is emitted and handed out")
    parser.add_argument("--history", type=int, default=0, help="records queued at the start")
    parser.add_argument("--days", type=float, default=30, help="how far back the history goes")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    # Blocked in every thread: they wait to be taken by the main one.
    signal.pthread_sigmask(signal.SIG_BLOCK, _END | {PAUSE, GO_ON})
    cpa = FakeCPA(
        arguments.profile,
        arguments.key,
        host=arguments.host,
        port=arguments.port,
        allow_remote=arguments.allow_remote,
        retention_seconds=arguments.retention,
        keep=_KEPT_LOG_ENTRIES,
        books=JournalBookkeeping(arguments.journal, _KEPT_LOG_ENTRIES) if arguments.journal else None,
    )
    traffic = Traffic(cpa, arguments.seed)
    traffic.emit_history(arguments.history, arguments.days)
    with cpa:
        print(f"fake CPA {arguments.profile} listening on {cpa.base_url}", flush=True)
        while _emit_until_signal(traffic, arguments) not in _END:
            if signal.sigwait(_END | {GO_ON}) in _END:
                break


def _emit_until_signal(traffic: Traffic, arguments: argparse.Namespace) -> signal.Signals:
    pausing = Event()
    thread = Thread(target=_emit, args=(traffic, arguments, pausing), name="traffic")
    thread.start()
    number = signal.sigwait(_END | {PAUSE})
    pausing.set()
    thread.join()
    return signal.Signals(number)


def _emit(traffic: Traffic, arguments: argparse.Namespace, pausing: Event) -> None:
    if arguments.rate:
        traffic.run_steadily(arguments.rate, arguments.burst, pausing)
    elif arguments.traffic:
        traffic.run(arguments.traffic, pausing)


if __name__ == "__main__":
    main()
