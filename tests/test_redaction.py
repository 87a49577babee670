"""What upstream wrote may be kept when no key is left in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import CLIENT_KEY, NOON, book, payload
from usage.ingest.ledger import MAX_FAILURE_TEXT
from usage.models import FailureText, Instance
from usage.redaction import redact

PLAIN = "hunter2-FAKE-plain"  # of no provider's shape


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-FAKE0000000000000001", "sk-ant-api03-FAKE_key-01", "sk_live_FAKE000001", "xai-FAKE000000001",
        "gsk_FAKE0000000001", "AIzaSyFAKE-gemini-key-0000000000000000001", "ya29.FAKE-token_0001",
        "eyJGQUtF.eyJGQUtFIn0.FAKE-signature", "ghp_FAKE0000000000000001", "vtx-FAKE-key-0001",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "text",
    ["{}", "Incorrect API key provided: {}.", '{{"error": "key ({}) is bad"}}', "https://x/v1?key={}&a=b", "鹿{}鹿"],
)
def test_what_looks_like_a_key_is_taken_out(secret: str, text: str) -> None:
    assert secret not in redact(text.format(secret))
    assert "[redacted]" in redact(text.format(secret))


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}", "authorization: bearer {}", '{{"authorization": "Bearer {}"}}', "x-api-key: {}", "X-Api-Key:{}",
        "api key: {}", "api_key={}", "API-KEY: {}", '{{"api_key": "{}"}}', '{{"api_key":"{}"}}', '{{"x-api-key": ["{}"]}}',
        "https://example.com/v1?key={}&alt=sse", "https://example.com/v1?alt=sse&key={}", "x-goog-api-key: {}", '{{"apiKey": "{}"}}',
    ],
)  # fmt: skip
def test_what_follows_the_word_key_is_taken_out_whatever_its_shape(text: str) -> None:
    assert PLAIN not in redact(text.format(PLAIN))


@pytest.mark.parametrize(
    "text",
    [
        "You exceeded your current quota, please check your plan and billing details.",
        "This model's maximum context length is 200000 tokens. However, you requested 214013 tokens.",
        '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_011CFAKE"}',
        "Incorrect API key provided; api_key is required",
        "unexpected EOF after the key frame; risk-averse, sky-high, task-based",
        "",
    ],
)
def test_text_without_a_key_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_known_secrets_are_taken_out_wherever_they_stand() -> None:
    assert redact(f"x{PLAIN}y {PLAIN}", PLAIN) == "x[redacted]y [redacted]"
    assert redact("nothing", None, "", PLAIN) == "nothing"


def test_what_is_redacted_stays_so() -> None:
    text = redact(f'{{"api_key": "{PLAIN}"}} Bearer {PLAIN}, api_key={PLAIN}')
    assert text == '{"api_key": "[redacted]"} Bearer [redacted], api_key=[redacted]'
    assert redact(text) == text


@pytest.mark.parametrize("order", [1, -1])
def test_secret_that_begins_another_does_not_leave_the_others_end(order: int) -> None:
    secrets = ["team-FAKE", "team-FAKE-and-its-end"][::order]
    assert redact("sent team-FAKE-and-its-end", *secrets) == "sent [redacted]"


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_around_it_hides_a_known_secret(before: str, after: str) -> None:
    assert PLAIN not in redact(before + PLAIN + after, PLAIN)


class TestFailureText:
    def test_text_of_a_failure_is_kept_without_its_keys(self, instance: Instance) -> None:
        upstream = "plain-FAKE-upstream"
        body = json.dumps({"error": f"key {upstream} of {CLIENT_KEY} is unknown \0"})
        book(instance, payload(failed=True, source=upstream, fail={"status_code": 401, "body": body}))
        text = FailureText.objects.get().text
        assert "is unknown" in text
        assert upstream not in text
        assert CLIENT_KEY not in text

    def test_key_across_the_limit_leaves_no_piece(self, instance: Instance) -> None:
        """A client key may have any shape: half of it is found only before the text is cut."""
        for number, inside in enumerate(range(1, len(PLAIN))):
            body = "x" * (MAX_FAILURE_TEXT - inside) + PLAIN + " and more"
            at = NOON.replace(microsecond=number)
            book(instance, payload(at, failed=True, api_key=PLAIN, fail={"status_code": 500, "body": body}))
        texts = list(FailureText.objects.values_list("text", flat=True))
        assert len(texts) == len(PLAIN) - 1
        assert all("hu" not in text for text in texts)
        assert all(len(text) <= MAX_FAILURE_TEXT for text in texts)

    def test_success_leaves_no_text(self, instance: Instance) -> None:
        book(instance, payload(fail={"status_code": 200, "body": "fine"}), payload(failed=True, request_id="2"))
        assert not FailureText.objects.exists()
