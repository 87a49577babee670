"""The fake CPA's RESP side keeps to contract D, release by release, byte by byte."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.fake_cpa import FakeCPA, connection, faults
from tests.fake_cpa.self_signed import self_signed
from tests.test_fake_cpa import KEY, call

NOON = datetime(2026, 8, 22, 12, tzinfo=UTC)
BANNED = b"-ERR IP banned due to too many failed attempts. Try again in 30m0s\r\n"
NOAUTH = b"-NOAUTH Authentication required.\r\n"
PROFILES = ["6.9.49", "6.10.0", "7.0.7", "7.1.39", "7.1.44", "7.2.140"]
WITH_SUBSCRIBE = PROFILES[2:]
SUPPORT_REFRESH = b'{"support_refresh":true}'


class Resp:
    """A client that sends words and reads the bytes it expects."""

    def __init__(
        self,
        cpa: FakeCPA,
        key: str = "",
        *,
        address: str = "127.0.0.1",
        receive_buffer: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        plain = socket.socket()
        plain.bind((address, 0))
        plain.settimeout(5)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.connect(("127.0.0.1", cpa.port))
        self.socket = tls.wrap_socket(plain, server_hostname="127.0.0.1") if tls else plain
        self._stream = self.socket.makefile("rb")
        if key:
            assert self.ask("AUTH", key) == b"+OK\r\n"

    def send(self, *words: str) -> None:
        self.socket.sendall(command(*words))

    def ask(self, *words: str) -> bytes:
        """Send a command, return its one-line answer."""
        self.send(*words)
        return self._stream.readline()

    def read(self, length: int) -> bytes:
        return self._stream.read(length)

    def read_all(self) -> bytes:
        return self._stream.read()

    def expect(self, expected: bytes) -> None:
        assert self._stream.read(len(expected)) == expected

    def expect_end(self) -> None:
        assert self._stream.read() == b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.close()
        self.socket.close()


def bulk(content: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(content), content)


def command(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(bulk(word.encode()) for word in words)


def message(payload: bytes | None, channel: bytes = b"usage") -> bytes:
    return b"*3\r\n$7\r\nmessage\r\n" + bulk(channel) + bulk(payload or b"")


def subscribed(channel: bytes = b"usage") -> bytes:
    return b"*3\r\n$9\r\nsubscribe\r\n" + bulk(channel) + b":1\r\n"


def greeting(cpa: FakeCPA) -> bytes:
    return message(SUPPORT_REFRESH) if cpa.profile.does("control payloads") else b""


@contextmanager
def subscription(cpa: FakeCPA, **options: Any) -> Iterator[Resp]:
    with Resp(cpa, KEY, **options) as client:
        client.send("SUBSCRIBE", "usage")
        client.expect(subscribed() + greeting(cpa))
        yield client


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def emit(cpa: FakeCPA, count: int) -> list[bytes]:
    return [cpa.emit(None, f"m{number}").raw or b"" for number in range(count)]


# --- Commands: every line of the table of replies ---


@pytest.mark.parametrize("profile", PROFILES)
def test_replies_to_who_is_not_authenticated(profile: str) -> None:
    with FakeCPA(profile) as cpa, Resp(cpa) as client:
        cpa.clock.set(NOON)
        assert client.ask("AUTH", "wrong") == b"-ERR invalid management key\r\n"
        assert client.ask("auth", "default", "wrong") == b"-ERR invalid management key\r\n"
        assert client.ask("AUTH", "") == b"-ERR missing management key\r\n"
        assert client.ask("AUTH") == b"-ERR wrong number of arguments for 'auth' command\r\n"
        assert client.ask() == b"-ERR empty command\r\n"
        assert cpa.failed_logins == 4
        assert client.ask("AUTH", "anybody", KEY) == b"+OK\r\n"
        assert cpa.failed_logins == 4


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("words", [["LPOP", "usage"], ["HELLO", "3", "AUTH", "default", KEY], ["PING"], ["SUBSCRIBE"]])
def test_any_command_before_auth_is_a_failure_and_five_ban_the_address(profile: str, words: list[str]) -> None:
    with FakeCPA(profile) as cpa, Resp(cpa) as client:
        cpa.clock.set(NOON)
        assert [client.ask(*words) for _ in range(5)] == [NOAUTH] * 5
        assert client.ask(*words) == BANNED
        assert client.ask("AUTH", KEY) == BANNED
        assert client.ask("AUTH") == BANNED
        assert cpa.failed_logins == 5
        cpa.clock.advance(30 * 60)
        assert client.ask("AUTH", KEY) == b"+OK\r\n"


def test_remote_callers_are_refused_without_being_counted() -> None:
    with FakeCPA() as cpa, Resp(cpa, address="127.0.0.2") as client:
        for _ in range(6):
            assert client.ask("AUTH", KEY) == b"-ERR remote management disabled\r\n"
            assert client.ask("LPOP", "usage") == NOAUTH
        assert client.ask("AUTH") == b"-ERR wrong number of arguments for 'auth' command\r\n"
        assert cpa.failed_logins == 0


def test_a_ban_is_of_one_address() -> None:
    with FakeCPA(allow_remote=True) as cpa:
        cpa.clock.set(NOON)
        with Resp(cpa, address="127.0.0.2") as client:
            assert [client.ask("PING") for _ in range(6)][4:] == [NOAUTH, BANNED]
        with Resp(cpa, KEY, address="127.0.0.3"), Resp(cpa, KEY):
            assert cpa.failed_logins == 5


def test_http_and_resp_share_one_ban_table() -> None:
    with FakeCPA() as cpa, Resp(cpa) as client:
        cpa.clock.set(NOON)
        for _ in range(3):
            call(cpa, "/config", key="wrong")
        assert [client.ask("PING") for _ in range(2)] == [NOAUTH] * 2
        assert call(cpa, "/config").status == 403
        assert client.ask("AUTH", KEY) == BANNED
        assert cpa.failed_logins == 5


@pytest.mark.parametrize("profile", PROFILES)
def test_replies_of_pops(profile: str) -> None:
    with FakeCPA(profile) as cpa, Resp(cpa, KEY) as client:
        raws = emit(cpa, 6)
        client.send("LPOP", "usage")
        client.expect(bulk(raws[0]))
        client.send("rpop", "USAGE ")
        client.expect(bulk(raws[1]))
        client.send("RPOP", "usage", "2")
        client.expect(b"*2\r\n" + bulk(raws[2]) + bulk(raws[3]))
        client.send("LPOP", "usage", " +100 ")
        client.expect(b"*2\r\n" + bulk(raws[4]) + bulk(raws[5]))
        client.send("LPOP", "usage", "3")
        client.expect(b"*0\r\n")
        client.send("LPOP", "usage")
        client.expect(b"$-1\r\n")
        assert cpa.handed_out == raws
        assert cpa.undelivered == []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5", "", "9223372036854775808"])
def test_a_wrong_count_pops_nothing(profile: str, count: str) -> None:
    with FakeCPA(profile) as cpa, Resp(cpa, KEY) as client:
        emit(cpa, 1)
        assert client.ask("LPOP", "usage", count) == b"-ERR value is not an integer or out of range\r\n"
        assert len(cpa.queue) == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_wrong_arguments(profile: str) -> None:
    with FakeCPA(profile) as cpa, Resp(cpa, KEY) as client:
        assert client.ask("LPOP") == b"-ERR wrong number of arguments for 'lpop' command\r\n"
        assert client.ask("Rpop", "usage", "1", "2") == b"-ERR wrong number of arguments for 'rpop' command\r\n"
        assert client.ask("LPOP", "usage", "0") == b"-ERR value is not an integer or out of range\r\n"
        for words in (["PING"], ["QUIT"], ["SELECT", "0"], ["CLIENT", "SETINFO", "lib-name", "x"], ["HELLO", "3"]):
            assert client.ask(*words) == f"-ERR unknown command '{words[0].lower()}'\r\n".encode()
        assert client.ask("AUTH", "wrong") == b"-ERR invalid management key\r\n"
        assert client.ask("LPOP", "usage") == b"$-1\r\n", "a failed AUTH does not log out"
        assert cpa.resp_commands[-3:] == ["HELLO", "AUTH", "LPOP"]


def test_the_key_name_counts_since_7_1_44() -> None:
    with FakeCPA("7.1.39") as cpa, Resp(cpa, KEY) as client:
        raws = emit(cpa, 1)
        client.send("LPOP", "queue")
        client.expect(bulk(raws[0]))
    with FakeCPA("7.1.44") as cpa, Resp(cpa, KEY) as client:
        emit(cpa, 1)
        assert client.ask("LPOP", " Queue ") == b"-ERR unsupported channel 'Queue'\r\n"
        assert client.ask("LPOP", "errors", "5") == b"-ERR unsupported channel 'errors'\r\n"
        assert len(cpa.queue) == 1


def test_the_probe_for_subscribe() -> None:
    for profile in ("6.9.49", "6.10.0", "7.0.6"):
        with FakeCPA(profile) as cpa, Resp(cpa, KEY) as client:
            assert client.ask("SUBSCRIBE") == b"-ERR unknown command 'subscribe'\r\n"
    for profile in WITH_SUBSCRIBE:
        with FakeCPA(profile) as cpa, Resp(cpa, KEY) as client:
            wrong = b"-ERR wrong number of arguments for 'subscribe' command\r\n"
            assert client.ask("SUBSCRIBE") == client.ask("SUBSCRIBE", "usage", "errors") == wrong
            assert client.ask("SUBSCRIBE", "Other") == b"-ERR unsupported channel 'Other'\r\n"


def test_pipelined_commands_are_answered_in_turn() -> None:
    with FakeCPA() as cpa, Resp(cpa) as client:
        raws = emit(cpa, 2)
        client.socket.sendall(command("AUTH", KEY) + command("LPOP", "usage") * 2 + command("SUBSCRIBE", "usage"))
        client.expect(b"+OK\r\n" + bulk(raws[0]) + bulk(raws[1]) + subscribed() + message(SUPPORT_REFRESH))


# --- The connection ---


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"*x\r\n", b"-ERR protocol error\r\n"),
        (b"*-1\r\n", b"-ERR protocol error\r\n"),
        (b"$4\r\nPING\r\n", b"-ERR protocol error\r\n"),
        (b"+PING\r\n", b"-ERR protocol error\r\n"),
        (b"*1\r\n-PING\r\n", b"-ERR protocol error\r\n"),
        (b"*1\r\n$x\r\n", b"-ERR protocol error\r\n"),
        (b"*1\r\n$4\r\nPINGPONG\r\n", b"-ERR protocol error\r\n"),
        (b"*0\r\nPING\r\n", b"-ERR empty command\r\n-ERR protocol error\r\n"),
        (b"*1\r\n$9\r\nPING", b"-ERR unexpected EOF\r\n"),
        (b"*1\r\n", b""),
    ],
)
def test_what_is_no_command_ends_the_connection(sent: bytes, answer: bytes) -> None:
    with FakeCPA() as cpa, Resp(cpa) as client:
        client.socket.sendall(sent)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read_all() == answer
        assert cpa.failed_logins == 0


def test_words_may_be_simple_strings_and_nil() -> None:
    with FakeCPA() as cpa, Resp(cpa) as client:
        client.socket.sendall(b"*2\r\n+AUTH\r\n+" + KEY.encode() + b"\r\n" + b"*3\r\n+LPOP\n+usage\n:7\n")
        client.expect(b"+OK\r\n*0\r\n")
        client.socket.sendall(b"*2\r\n+AUTH\r\n$-1\r\n")
        client.expect(b"-ERR missing management key\r\n")


def test_a_first_inline_command_looks_like_http() -> None:
    with FakeCPA() as cpa, Resp(cpa) as client:
        client.socket.sendall(b"PING\r\n\r\n")
        assert client.read_all().startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_silent_connection_is_dropped_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.05)
    with FakeCPA("7.0.3") as cpa, Resp(cpa) as silent:
        silent.expect_end()
        with Resp(cpa, KEY) as client:
            time.sleep(0.1)
            assert client.ask("LPOP", "usage") == b"$-1\r\n", "there is no such limit after the first byte"


@pytest.mark.parametrize("profile", ["6.9.38", "7.0.2"])
def test_a_silent_connection_once_blocked_the_whole_server(profile: str) -> None:
    with FakeCPA(profile) as cpa:
        with Resp(cpa), Resp(cpa) as other:
            other.socket.settimeout(0.1)
            other.send("PING")
            with pytest.raises(TimeoutError):
                other.socket.recv(1)
        with Resp(cpa, KEY):
            pass


def test_tls_without_alpn_may_be_resp(tmp_path: Path) -> None:
    server_side, certificate = self_signed(tmp_path)
    with FakeCPA(tls=server_side) as cpa:
        with subscription(cpa, tls=ssl.create_default_context(cafile=str(certificate))) as client:
            raws = emit(cpa, 200)
            client.send("PING", "x" * 20_000)
            answers = client.read(
                len(b"".join(map(message, raws))) + len(b"*2\r\n$4\r\npong\r\n$20000\r\n\r\n") + 20_000
            )
            assert answers.replace(b"*2\r\n$4\r\npong\r\n" + bulk(b"x" * 20_000), b"") == b"".join(map(message, raws))
            client.send("QUIT")
            client.expect(b"+OK\r\n")
            client.expect_end()
        assert cpa.undelivered == []


def test_tls_with_alpn_is_http(tmp_path: Path) -> None:
    server_side, certificate = self_signed(tmp_path)
    client_side = ssl.create_default_context(cafile=str(certificate))
    client_side.set_alpn_protocols(["h2", "http/1.1"])
    with FakeCPA(tls=server_side) as cpa, Resp(cpa, tls=client_side) as client:
        client.socket.sendall(command("AUTH", KEY) + b"\r\n")
        assert client.read_all().startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert cpa.resp_commands == []


def test_plain_resp_to_a_tls_port_fails(tmp_path: Path) -> None:
    server_side, _ = self_signed(tmp_path)
    with FakeCPA(tls=server_side) as cpa, Resp(cpa) as client:
        client.send("AUTH", KEY)
        with suppress(ConnectionResetError):
            client.expect_end()
        assert cpa.resp_commands == []


def test_before_6_9_38_everything_is_http() -> None:
    with FakeCPA("6.9.37") as cpa, Resp(cpa) as client:
        client.socket.sendall(command("PING") + b"\r\n")
        assert client.read_all().startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_7_1_17_refuses_every_connection() -> None:
    for key in (KEY, ""):
        with FakeCPA("7.1.17", key) as cpa, Resp(cpa) as client:
            client.send("PING")
            assert client.read_all() == b"-ERR RESP AUTH disabled; use mTLS\r\n"
            assert cpa.failed_logins == 0


@pytest.mark.parametrize("profile", PROFILES)
def test_management_off_is_a_closed_connection(profile: str) -> None:
    with FakeCPA(profile, management_key="") as cpa, Resp(cpa) as client:
        client.send("AUTH", KEY)
        client.expect_end()


@pytest.mark.parametrize(
    ("profile", "answer"),
    [("7.0.0", b""), ("7.1.16", b""), ("7.1.18", b"-ERR redis usage output disabled in home mode\r\n")],
)
def test_home_mode(profile: str, answer: bytes) -> None:
    with FakeCPA(profile) as cpa:
        cpa.home_mode = True
        with Resp(cpa) as client:
            client.send("AUTH", KEY)
            assert client.read_all() == answer


# --- Subscriptions ---


@pytest.mark.parametrize("profile", WITH_SUBSCRIBE)
def test_a_subscriber_gets_new_records_and_the_queue_none(profile: str) -> None:
    with FakeCPA(profile) as cpa:
        queued = emit(cpa, 2)
        with subscription(cpa) as client:
            published = emit(cpa, 3)
            for raw in published:
                client.expect(message(raw))
            with Resp(cpa, KEY) as popper:
                popper.send("LPOP", "usage", "10")
                popper.expect(b"*2\r\n" + bulk(queued[0]) + bulk(queued[1]))
                popper.send("LPOP", "usage", "10")
                popper.expect(b"*0\r\n")
        wait_for(lambda: cpa.subscribers == 0)
        emit(cpa, 1)
        assert len(cpa.queue) == 1
        assert sorted(cpa.handed_out) == sorted(published + queued)
        assert cpa.undelivered == cpa.lost == []


@pytest.mark.parametrize(("profile", "echoed"), [("7.0.7", b"usage"), ("7.1.39", b"usage"), ("7.1.44", b"USAGE")])
def test_the_name_of_the_channel_is_echoed_as_sent_since_7_1_44(profile: str, echoed: bytes) -> None:
    with FakeCPA(profile) as cpa, Resp(cpa, KEY) as client:
        client.send("SUBSCRIBE", " USAGE")
        client.expect(subscribed(echoed))
        if profile != "7.0.7":
            client.expect(message(SUPPORT_REFRESH, echoed))
        client.expect(message(emit(cpa, 1)[0], echoed))
        client.send("UNSUBSCRIBE")
        client.expect(b"*3\r\n$11\r\nunsubscribe\r\n" + bulk(echoed) + b":0\r\n")
        client.expect_end()


@pytest.mark.parametrize("profile", WITH_SUBSCRIBE)
def test_commands_inside_a_subscription(profile: str) -> None:
    with FakeCPA(profile) as cpa, subscription(cpa) as client:
        client.send("PING")
        client.expect(b"*2\r\n$4\r\npong\r\n$-1\r\n")
        client.send("ping", "hello")
        client.expect(b"*2\r\n$4\r\npong\r\n$5\r\nhello\r\n")
        client.send("PING", "")
        client.expect(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n")
        for words in (["SUBSCRIBE", "usage"], ["LPOP", "usage"], ["AUTH", KEY]):
            assert client.ask(*words) == f"-ERR unknown command '{words[0].lower()}'\r\n".encode()
        assert client.ask() == b"-ERR empty command\r\n"
        client.expect(message(emit(cpa, 1)[0]))
        client.send("QUIT")
        client.expect(b"+OK\r\n")
        client.expect_end()
        wait_for(lambda: cpa.subscribers == 0)


def test_rubbish_inside_a_subscription_ends_it() -> None:
    with FakeCPA() as cpa, subscription(cpa) as client:
        client.socket.sendall(b"PING\r\n")
        client.expect(b"-ERR protocol error\r\n")
        client.expect_end()


def test_all_subscribers_get_every_record() -> None:
    with FakeCPA() as cpa, subscription(cpa) as one, subscription(cpa) as other:
        raws = emit(cpa, 50)
        for client in (one, other):
            client.expect(b"".join(map(message, raws)))
        assert cpa.handed_out == raws
        wait_for(lambda: [each.got for each in cpa.subscriptions] == [50, 50])


@pytest.mark.parametrize("profile", ["7.1.18", "7.1.39", "7.2.140"])
def test_subscribers_are_told_of_changed_credentials(profile: str) -> None:
    with FakeCPA(profile) as cpa, subscription(cpa) as client:
        file = cpa.credentials.add_oauth("codex", "dave@example.com")
        cpa.credentials.add_key("gemini-api-key", "AIzaSyFAKE-gemini-key-0000000000000000001")
        cpa.credentials.rename(file, "codex-other.json")
        cpa.credentials.remove(file)
        cpa.notify_refresh()
        if profile != "7.1.18":
            client.expect(message(b'{"refresh":true}') * 5)
        client.expect(message(emit(cpa, 1)[0]))
        assert len(cpa.handed_out) == 1


def test_a_saved_configuration_is_told_too() -> None:
    with FakeCPA() as cpa, subscription(cpa) as client:
        for value in (True, False, False):
            call(cpa, "/usage-statistics-enabled", method="PUT", body={"value": value})
        assert cpa.emit(None, "m").raw is None
        cpa.set_statistics(True)
        client.expect(message(b'{"refresh":true}') * 2 + message(emit(cpa, 1)[0]))


@pytest.mark.parametrize("profile", ["7.1.44", "7.2.140"])
def test_failed_attempts_on_the_errors_channel(profile: str) -> None:
    with FakeCPA(profile) as cpa, Resp(cpa, KEY) as client:
        relay = cpa.credentials.add_key("claude-api-key", "sk-relay-FAKE-1", base_url="https://relay.example.net")
        cpa.emit(relay, "m", status=500, error="not seen by anybody")
        client.send("SUBSCRIBE", "errors")
        client.expect(subscribed(b"errors"))
        assert cpa.subscribers == 0
        cpa.emit(relay, "m")
        failed = cpa.emit(relay, "claude-sonnet-4-6", status=429, error='{"type":"error"}')
        head = client.read(len(b"*3\r\n$7\r\nmessage\r\n$6\r\nerrors\r\n"))
        assert head == b"*3\r\n$7\r\nmessage\r\n$6\r\nerrors\r\n"
        length = int(client._stream.readline()[1:])
        event = json.loads(client.read(length))
        assert len(cpa.queue) == 3
    assert list(event) == [
        "timestamp",
        "provider",
        "model",
        "auth_id",
        "auth_index",
        "status_code",
        "body",
        "auth_status",
    ]
    assert (event["provider"], event["model"], event["status_code"]) == ("claude", "claude-sonnet-4-6", 429)
    assert (event["body"], event["auth_index"]) == ('{"type":"error"}', failed.auth_index)


def test_before_7_1_44_errors_is_no_channel() -> None:
    with FakeCPA("7.1.39") as cpa, Resp(cpa, KEY) as client:
        assert client.ask("SUBSCRIBE", "errors") == b"-ERR unsupported channel 'errors'\r\n"


def test_removing_the_secret_closes_subscribers_and_clears_the_queue() -> None:
    with FakeCPA() as cpa:
        queued = emit(cpa, 2)
        with subscription(cpa) as client, Resp(cpa, KEY) as other:
            cpa.management_key = ""
            client.expect_end()
            other.send("LPOP", "usage")
            assert other.read_all() in (b"$-1\r\n", b""), "the server looks for its secret between two commands"
        assert cpa.lost == queued
        assert cpa.emit(None, "m").raw is None


# --- Slow subscribers ---


@pytest.mark.parametrize("profile", WITH_SUBSCRIBE)
def test_the_257th_waiting_message_drops_the_subscriber(profile: str) -> None:
    with FakeCPA(profile) as cpa, subscription(cpa) as client:
        cpa.stall_subscribers()
        buffered = emit(cpa, 256)
        assert cpa.subscribers == 1
        overflow = emit(cpa, 1)
        assert cpa.subscribers == 0
        queued = emit(cpa, 1)
        assert len(cpa.queue) == 1
        cpa.resume_subscribers()
        client.expect(b"".join(map(message, buffered)))
        client.expect_end()
        assert cpa.handed_out == buffered + overflow
        assert cpa.undelivered == overflow
        assert cpa.pop(10) == queued
        (slow,) = cpa.subscriptions
        assert (slow.got, slow.missed, slow.dropped) == (256, overflow, True)


def test_the_greeting_takes_a_place_in_the_buffer() -> None:
    with FakeCPA() as cpa, Resp(cpa, KEY) as client:
        cpa.stall_subscribers()
        client.send("SUBSCRIBE", "usage")
        client.expect(subscribed())
        emit(cpa, 255)
        assert cpa.subscribers == 1
        emit(cpa, 1)
        assert cpa.subscribers == 0


def test_a_slow_subscriber_costs_the_others_nothing() -> None:
    with FakeCPA(send_buffer=4096) as cpa, subscription(cpa) as quick, subscription(cpa, receive_buffer=4096) as slow:
        raws: list[bytes] = []
        while cpa.subscribers == 2:
            raws += emit(cpa, 1)
            quick.expect(message(raws[-1]))
        raws += emit(cpa, 1)
        quick.expect(message(raws[-1]))
        assert 257 <= len(raws) < 1000
        received = slow.read_all()
        (missed,) = (each.missed for each in cpa.subscriptions if each.dropped)
        assert received == b"".join(message(raw) for raw in raws[:-2])
        assert missed == [raws[-2]]
        assert cpa.undelivered == [], "the quick one has them all"


def test_what_a_leaving_subscriber_has_not_got_is_undelivered() -> None:
    with FakeCPA() as cpa:
        with subscription(cpa):
            cpa.stall_subscribers()
            raws = emit(cpa, 3)
        wait_for(lambda: cpa.undelivered == raws)
        assert cpa.handed_out == raws


# --- Faults ---


def test_a_message_cut_in_the_middle() -> None:
    with FakeCPA() as cpa, subscription(cpa) as client:
        cpa.faults.next(faults.cut_body(40), path="RESP message")
        (raw,) = emit(cpa, 1)
        assert client.read_all() == message(raw)[:40]
        wait_for(lambda: cpa.undelivered == [raw])


def test_a_pop_that_dies_before_it_is_answered() -> None:
    with FakeCPA() as cpa, Resp(cpa, KEY) as client:
        raws = emit(cpa, 3)
        cpa.faults.next(faults.die_after_pop(), path="RESP LPOP")
        client.send("LPOP", "usage", "2")
        client.expect_end()
        assert cpa.handed_out == cpa.undelivered == raws[:2]
        assert len(cpa.queue) == 1


def test_garbage_instead_of_a_reply() -> None:
    with FakeCPA() as cpa, Resp(cpa, KEY) as client:
        raws = emit(cpa, 1)
        cpa.faults.next(faults.not_json(b"<html>\r\n"), path="RESP LPOP")
        assert client.ask("LPOP", "usage") == b"<html>\r\n"
        client.send("LPOP", "usage")
        client.expect(bulk(raws[0]))


def test_a_half_open_subscription_says_nothing_and_stays_open() -> None:
    with FakeCPA() as cpa, subscription(cpa) as client:
        cpa.stall_subscribers()
        client.send("PING")
        emit(cpa, 1)
        client.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        assert cpa.subscribers == 1


def test_a_restart_closes_subscriptions_and_forgets_the_ban() -> None:
    with FakeCPA() as cpa:
        cpa.clock.set(NOON)
        with subscription(cpa) as client:
            cpa.stall_subscribers()
            raws = emit(cpa, 1)
            cpa.restart()
            client.expect_end()
            assert cpa.undelivered == raws
        with Resp(cpa) as client:
            assert [client.ask("PING") for _ in range(6)][-1] == BANNED
        cpa.restart()
        cpa.resume_subscribers()
        with subscription(cpa) as client:
            client.expect(message(emit(cpa, 1)[0]))
        assert cpa.failed_logins == 5
