"""The RESP client: whole replies however they arrive, AUTH first and once, and words for each refusal."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import KEY
from tests.fake_cpa import FakeCPA, faults
from tests.traffic import fake_cpa
from usage.ingest.resp_elements import split_messages, split_popped
from usage.models import Instance
from usage.upstream.refusals import UpstreamError
from usage.upstream.resp import NoSuchWay, RespConnection
from usage.upstream.resp_frames import BrokenReply, Frames, Refusal, Reply, Status, encode, parse

State = Instance.State

_lines = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))
_replies = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=300) | _lines.map(Status) | _lines.map(Refusal),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


def wire(reply: Reply) -> bytes:
    match reply:
        case None:
            return b"$-1\r\n"
        case Status():
            return b"+%b\r\n" % reply.encode()
        case Refusal():
            return b"-%b\r\n" % reply.encode()
        case int():
            return b":%d\r\n" % reply
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        case _:
            return b"*%d\r\n%b" % (len(reply), b"".join(map(wire, reply)))


def depth(reply: Reply) -> int:
    return 1 + max(map(depth, reply), default=0) if isinstance(reply, list) else 0


@given(st.lists(_replies.filter(lambda reply: depth(reply) <= 4), max_size=5), st.data())
def test_replies_come_whole_however_they_are_cut(replies: list[Reply], data: st.DataObject) -> None:
    stream = b"".join(map(wire, replies))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    frames, found = Frames(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += list(frames.feed(stream[start:end]))
    assert [reply for reply, _raw in found] == replies
    assert b"".join(raw for _reply, raw in found) == stream
    assert frames.rest == b""


@given(st.binary(max_size=200))
def test_any_bytes_are_replies_broken_or_not_whole(data: bytes) -> None:
    frames = Frames()
    try:
        list(frames.feed(data))
    except BrokenReply:
        assert frames.rest


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"$5\r\nsecret\r\n",
        b"$x\r\n",
        b"*-2\r\n",
        b"$99999999999\r\n",
        b":1_0\r\n",
        b"*1\r\n" * 6,
    ],
)
def test_what_is_no_resp_is_told_from_what_is_not_whole(data: bytes) -> None:
    with pytest.raises(BrokenReply):
        parse(data)


def test_commands_are_arrays_of_bulk_strings() -> None:
    assert encode("LPOP", "usage", "500") == b"*3\r\n$4\r\nLPOP\r\n$5\r\nusage\r\n$3\r\n500\r\n"


def test_elements_of_what_was_cut_are_those_that_were_whole() -> None:
    popped = b"*2\r\n$2\r\n{}\r\n$2\r\n[]\r\n"
    assert split_popped(popped).raw == [b"{}", b"[]"]
    message = b"*3\r\n$7\r\nmessage\r\n$5\r\nusage\r\n$2\r\n{}\r\n"
    elements = split_messages(message + message[:-3])
    assert (elements.raw, elements.rest) == ([b"{}"], message[:-3])
    assert elements.reason


def server(cpa: FakeCPA, key: str = KEY, base_url: str = "") -> Instance:
    instance = Instance(name="CPA", base_url=base_url or cpa.base_url)
    instance.management_key = key
    return instance


def test_the_key_is_sent_first_and_nothing_that_the_server_does_not_know() -> None:
    with fake_cpa() as cpa:
        cpa.emit(None, "gpt-5.4")
        with RespConnection(server(cpa)) as connection:
            assert connection.can_pop()
            assert len(connection.pop(10)[0]) == 1
            assert connection.pop(10)[0] == []
        assert cpa.resp_commands == ["AUTH", "LPOP", "LPOP", "LPOP"]
        assert cpa.failed_logins == 0


@pytest.mark.parametrize(
    ("profile", "key", "state", "words"),
    [
        ("7.2.140", "mgmt-FAKE-wrong", State.KEY_REJECTED, "refused"),
        ("7.1.17", KEY, State.UNSUPPORTED, "refuses RESP"),
    ],
)
def test_each_refusal_has_its_words(profile: str, key: str, state: str, words: str) -> None:
    with fake_cpa(profile) as cpa, pytest.raises(UpstreamError) as refused:
        RespConnection(server(cpa, key))
    assert refused.value.state == state
    assert words in str(refused.value)


def test_a_ban_is_waited_out() -> None:
    with fake_cpa() as cpa:
        for _ in range(5):
            with pytest.raises(UpstreamError):
                RespConnection(server(cpa, "mgmt-FAKE-wrong"))
        with pytest.raises(UpstreamError) as banned:
            RespConnection(server(cpa))
    assert banned.value.state == State.BANNED
    assert banned.value.retry_at is not None


def test_a_version_without_subscription_is_told_from_a_fault() -> None:
    with fake_cpa("6.10.0") as cpa, RespConnection(server(cpa)) as connection, pytest.raises(NoSuchWay):
        connection.subscribe()


def test_an_address_with_a_path_is_behind_a_proxy() -> None:
    with fake_cpa() as cpa, pytest.raises(NoSuchWay):
        RespConnection(server(cpa, base_url=f"{cpa.base_url}/cpa"))
        assert cpa.resp_commands == []


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that says `answer` to whatever comes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _address = listening.accept()
            with client:
                client.recv(65_536)
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", State.UNSUPPORTED),
        (b"", State.UNREACHABLE),
        (b"+OK", State.UNREACHABLE),
        (b"garbage\r\n", State.FAULTY),
        (b":1\r\n", State.FAULTY),
        (b"-ERR something new\r\n", State.FAULTY),
    ],
)
def test_what_else_may_answer(answer: bytes, state: str) -> None:
    with answering(answer) as base_url, pytest.raises(UpstreamError) as error:
        RespConnection(server(FakeCPA(), base_url=base_url))
    assert error.value.state == state


def test_an_answer_that_is_lost_after_the_pop_says_so() -> None:
    with fake_cpa("6.10.0") as cpa:
        cpa.emit(None, "gpt-5.4")
        cpa.faults.next(faults.die_after_pop(), path="RESP LPOP")
        with RespConnection(server(cpa)) as connection, pytest.raises(UpstreamError) as lost:
            connection.pop(10)
    assert lost.value.was_sent


def test_damage_in_the_stream_leaves_what_came_whole_before_it() -> None:
    message = b"*3\r\n$7\r\nmessage\r\n$5\r\nusage\r\n$2\r\n{}\r\n"
    with answering(b"+OK\r\n") as base_url, RespConnection(server(FakeCPA(), base_url=base_url)) as connection:
        far, near = socket.socketpair()
        connection._socket.close()
        connection._socket = near
        with far:
            far.sendall(message * 2 + b"damage\r\n")
            assert [raw for _reply, raw in connection.receive(5)] == [message, message]
            far.sendall(message)
            with pytest.raises(UpstreamError) as broken:
                connection.receive(5)
    assert broken.value.was_sent
    assert connection.rest == b"damage\r\n" + message
