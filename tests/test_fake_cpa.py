"""The fake CPA keeps to the contract."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

from tests.fake_cpa import FakeCPA, Tokens


def test_an_emitted_record_is_popped_once() -> None:
    with FakeCPA(profile="7.2.140") as cpa:
        dave = cpa.credentials.add_oauth("codex", "dave@example.com", plan="plus")
        emitted = cpa.emit(dave, "gpt-5.4", tokens=Tokens(uncached=2, output=3))
        request = Request(cpa.base_url + "/v0/management/usage-queue?count=10", headers={"Authorization": "Bearer mgmt-FAKE-0001"})
        with urlopen(request) as answer:
            assert json.loads(answer.read()) == [json.loads(emitted.raw or b"")]
        with urlopen(request) as answer:
            assert answer.read() == b"[]"
        assert cpa.handed_out == [emitted.raw]
