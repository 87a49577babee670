"""Price lists as they are published become prices; what no price list may say is refused, with its place and the rule."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage.accounting.pricing import Price
from usage.price_lists import litellm, models_dev
from usage.price_lists.listed import BadPriceList, Listed, to_units
from usage.price_lists.loading import MOST_BYTES, from_file, from_url, parsed
from usage.price_lists.matching import Index


def models_dev_list(cost: dict[str, Any], vendor: str = "openai", model: str = "m", **info: Any) -> dict[str, Any]:
    return {vendor: {"id": vendor, "models": {model: {"id": model, "cost": cost, **info}}}}


def prices(document: dict[str, Any], reader: Any = models_dev) -> list[Price]:
    """Through JSON, as from a file."""
    (one,) = reader.listed(parsed(json.dumps(document).encode(), "list.json"))
    return list(one.prices)


def refusal(content: Any, reader: Any = models_dev) -> str:
    with pytest.raises(BadPriceList) as refused:
        text = content if isinstance(content, str) else json.dumps(content)
        list(reader.listed(parsed(text.encode(), "list.json")))
    return str(refused.value)


class TestModelsDev:
    def test_all_columns_and_a_threshold(self) -> None:
        cost = {
            "input": 2.5, "output": 15, "cache_read": 0.25, "cache_write": 3.125, "reasoning": 20.0000005,
            "tiers": [{"input": 5, "output": 22.5, "cache_read": 0.5, "tier": {"type": "context", "size": 272000}}],
            "context_over_200k": {"input": 5, "output": 22.5},
        }  # fmt: skip
        assert prices(models_dev_list(cost)) == [
            Price("m", 2_500_000, 15_000_000, 250_000, 3_125_000, 20_000_001),
            Price("m", 5_000_000, 22_500_000, 500_000, 3_125_000, 20_000_001, above_input_tokens=272_000),
        ]

    def test_older_way_to_say_a_threshold(self) -> None:
        cost = {"input": 1, "output": 2, "cache_read": 0.1, "context_over_200k": {"input": 3, "output": 4}}
        assert prices(models_dev_list(cost))[1] == Price("m", 3_000_000, 4_000_000, 100_000, above_input_tokens=200_000)

    def test_tier_by_anything_else_is_left_out(self) -> None:
        cost = {"input": 1, "output": 2, "tiers": [{"input": 9, "tier": {"type": "hour", "size": 8}}]}
        assert prices(models_dev_list(cost)) == [Price("m", 1_000_000, 2_000_000)]

    def test_mode_that_is_a_service_tier(self) -> None:
        fast = {"cost": {"input": 5, "output": 30}, "provider": {"body": {"service_tier": "priority"}}}
        modes = {"modes": {"fast": fast, "other": {"cost": {"input": 7}, "provider": {"body": {"speed": "fast"}}}}}
        found = prices(models_dev_list({"input": 2, "output": 15}, experimental=modes))
        assert found[1:] == [Price("m", 5_000_000, 30_000_000, service_tier="priority")]

    def test_model_without_a_price_is_not_free(self) -> None:
        document = {"a": {"models": {"x": {}, "y": {"cost": None}, "z": {"cost": {"input": 1}}}}}
        assert list(models_dev.listed(document)) == []
        assert prices(models_dev_list({"input": 0, "output": 0})) == [Price("m", 0, 0)]


class TestLiteLLM:
    def test_tiers_thresholds_and_both(self) -> None:
        info = {
            "litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1.5e-05,
            "cache_read_input_token_cost": 2.5e-07, "cache_creation_input_token_cost": 3.125e-06,
            "output_cost_per_reasoning_token": 2e-05, "input_cost_per_token_above_272k_tokens": 5e-06,
            "input_cost_per_token_priority": 6e-06, "input_cost_per_token_above_272k_tokens_priority": 1.2e-05,
            "input_cost_per_token_batches": 1e-06, "input_cost_per_audio_token": 1e-04,
            "cache_creation_input_token_cost_above_1hr": 6e-06, "cache_read_input_token_cost_flex": None,
        }  # fmt: skip
        rest = (15_000_000, 250_000, 3_125_000, 20_000_000)
        assert prices({"gpt-m": info, "sample_spec": {"input_cost_per_token": "a number"}}, litellm) == [
            Price("gpt-m", 2_500_000, *rest),
            Price("gpt-m", 5_000_000, *rest, above_input_tokens=272_000),
            Price("gpt-m", 6_000_000, *rest, service_tier="priority"),
            Price("gpt-m", 12_000_000, *rest, service_tier="priority", above_input_tokens=272_000),
        ]

    @pytest.mark.parametrize(
        ("key", "provider", "model"),
        [
            ("gpt-m", "openai", "gpt-m"),
            ("gemini/gemini-m", "gemini", "gemini-m"),
            ("vertex_ai/claude-m", "vertex_ai-anthropic_models", "claude-m"),
            ("openrouter/anthropic/claude-m", "openrouter", "anthropic/claude-m"),
            ("us.anthropic.claude-m", "bedrock", "us.anthropic.claude-m"),
        ],
    )
    def test_model_is_called_without_its_vendor(self, key: str, provider: str, model: str) -> None:
        info = {"litellm_provider": provider, "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06}
        (one,) = litellm.listed(parsed(json.dumps({key: info}).encode(), "l"))
        assert (one.name, one.vendor, one.model) == (key, provider, model)

    def test_model_without_an_output_price_is_none(self) -> None:
        assert list(litellm.listed({"embedding": {"input_cost_per_token": Decimal("1e-7")}})) == []


class TestRefusals:
    @pytest.mark.parametrize("value", ["-1", "-0.000001", "1e99", "1e999999999", "1000000", '"1"', "true", "[1]", "{}"])
    def test_amount_that_is_none(self, value: str) -> None:
        text = '{"openai": {"models": {"m": {"cost": {"input": 1, "output": %s}}}}}' % value  # noqa: UP031
        assert "openai.models.m.cost.output is " in refusal(text)

    @pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e99999999999999999999999", "9" * 5_000])
    def test_number_that_is_none(self, value: str) -> None:
        refusal('{"openai": {"models": {"m": {"cost": {"input": 1, "output": %s}}}}}' % value)  # noqa: UP031

    @pytest.mark.parametrize("value", [-1e-6, 1.0, "free"])
    def test_amount_of_litellm_that_is_none(self, value: object) -> None:
        words = refusal({"m": {"input_cost_per_token": value, "output_cost_per_token": 0}}, litellm)
        assert words.startswith("m.input_cost_per_token is ")
        assert "below 1 USD" in words or "a price is a number" in words

    @pytest.mark.parametrize("text", ["", "{", '{"a": 1', "<html>", '{"a": [}', "[" * 100_000, "\x00"])
    def test_half_a_file(self, text: str) -> None:
        assert "list.json is not the JSON of a price list, or only a part of it" in refusal(text)

    @pytest.mark.parametrize("document", [[], 1, None, [{}], {"a": 1}, {"a": {"models": []}}, {"a": {}}])
    def test_wrong_shape(self, document: object) -> None:
        assert "it should be a JSON object" in refusal(document)

    def test_wrong_shape_of_tiers(self) -> None:
        for tiers in ({"a": 1}, [{"input": 1}], [{"tier": {"size": "big"}}], [{"tier": {"size": -1}}]):
            assert "tier" in refusal(models_dev_list({"input": 1, "output": 1, "tiers": tiers}))

    def test_another_currency(self) -> None:
        assert "openai.models.m.cost is in CNY; prices are read in USD only" in refusal(
            models_dev_list({"input": 1, "output": 1, "currency": "CNY"})
        )
        assert "the list is in EUR" in refusal({"currency": "EUR"}, litellm)

    def test_text_that_is_no_utf_8(self) -> None:
        with pytest.raises(BadPriceList, match="is not the JSON"):
            parsed(b'{"\xff": 1}', "list.json")

    def test_more_than_there_may_be(self, tmp_path: Path) -> None:
        path = tmp_path / "big.json"
        with path.open("wb") as file:
            file.truncate(100 * 2**20)
        with pytest.raises(BadPriceList, match=r"big.json has more than 32 MB"):
            from_file(path)

    def test_file_that_is_not_there(self, tmp_path: Path) -> None:
        for path in (tmp_path / "none", tmp_path):
            with pytest.raises(BadPriceList, match="cannot be read"):
                from_file(path)

    @given(st.integers(0, 10**12 - 1))
    def test_every_amount_that_we_can_keep_is_read_exactly(self, units: int) -> None:
        assert to_units(Decimal(units).scaleb(-6), "x", scale=6) == units
        assert to_units(Decimal(units).scaleb(-12), "x", scale=12) == units


def one(name: str, vendor: str, input: int = 1, model: str = "") -> Listed:
    model = model or name.partition("/")[2]
    return Listed(name, vendor, model, (Price(model, input, input),))


class TestMatching:
    INDEX = Index(
        [
            one("openai/gpt-m", "openai"), one("azure/gpt-m", "azure", 2), one("openrouter/openai/gpt-m", "openrouter", 3),
            one("a/shared", "a"), one("b/shared", "b"), one("c/other", "c"), one("d/other", "d", 2),
            one("google/gemini-m", "google"), one("plan/gemini-m", "plan", 0), one("plan/own", "plan", 0), one("moonshotai/kimi-m", "moonshotai"),
        ]
    )  # fmt: skip

    @pytest.mark.parametrize(
        ("model", "providers", "names"),
        [
            ("gpt-m", ["codex"], ["openai/gpt-m"]),
            ("GPT-M(high)", ["codex"], ["openai/gpt-m"]),
            ("openai/gpt-m", ["openrouter"], ["openrouter/openai/gpt-m"]),
            ("gpt-m", ["openai-compatible-house"], ["openai/gpt-m"]),
            ("azure/gpt-m", [], ["azure/gpt-m"]),
            ("gpt-m", [], ["openai/gpt-m"]),
            ("gemini-m", ["antigravity"], ["google/gemini-m"]),
            ("gemini-m", ["openai-compatible-plan"], ["google/gemini-m"]),
            ("own", ["openai-compatible-plan"], ["plan/own"]),
            ("shared", [], ["a/shared"]),
            ("shared", ["openai-compatible-b"], ["b/shared"]),
            ("other", [], ["c/other", "d/other"]),
            ("team/other", [], ["c/other", "d/other"]),
            ("gpt", ["codex"], []),
            ("gpt-m-mini", [], []),
        ],
    )
    def test_candidates(self, model: str, providers: list[str], names: list[str]) -> None:
        found = self.INDEX.candidates(model, providers)
        assert [one.name for one in found.models] == names
        assert found.is_sure == (len(names) == 1 and not (model == "shared" and not providers))


@contextmanager
def publisher(answer: Any, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A web server on this machine that answers each GET by `answer(handler)`; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/api.json"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(status: int, body: bytes = b"{}", **headers: str) -> Any:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def url_refusal(url: str, **limits: Any) -> str:
    with pytest.raises(BadPriceList) as refused:
        from_url(url, **({"loopback": True} | limits))
    return str(refused.value)


class TestAddress:
    def test_list_is_read(self) -> None:
        with publisher(send(200, b'{"a": 0.1}')) as url:
            assert from_url(url, loopback=True) == {"a": Decimal("0.1")}

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_redirect_is_told_and_not_followed(self, status: int) -> None:
        with publisher(send(status, Location="https://elsewhere.example/x")) as url:
            words = url_refusal(url)
        assert "127.0.0.1 redirects to https://elsewhere.example/x, which is not followed" in words

    @pytest.mark.parametrize("status", [403, 404, 500])
    def test_status_is_told(self, status: int) -> None:
        with publisher(send(status)) as url:
            assert f"127.0.0.1 answered status {status}" in url_refusal(url)

    def test_server_that_hangs(self) -> None:
        """Words name host, time and the setting of the proxy."""
        done = threading.Event()
        with publisher(lambda handler: done.wait(5)) as url:
            words = url_refusal(url, seconds=0.3)
            done.set()
        assert "127.0.0.1 cannot be read: no answer in time" in words
        assert "0.3 s in all" in words and "HTTPS_PROXY" in words

    def test_server_that_trickles(self) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.end_headers()
            for _ in range(100):
                handler.wfile.write(b" ")
                time.sleep(0.05)

        begun = time.monotonic()
        with publisher(_until_closed(answer)) as url:
            assert "no answer in time" in url_refusal(url, seconds=0.3)
            assert time.monotonic() - begun < 2

    def test_nobody_listens(self) -> None:
        assert "127.0.0.1 cannot be read" in url_refusal("http://127.0.0.1:9/x")

    @pytest.mark.parametrize("compressed", [False, True])
    def test_more_than_there_may_be(self, compressed: bool) -> None:
        body = b" " * (MOST_BYTES + 2)
        body, headers = (gzip.compress(body), {"Content_Encoding": "gzip"}) if compressed else (body, {})
        with publisher(_until_closed(send(200, body, **headers))) as url:
            assert "127.0.0.1 has more than 32 MB" in url_refusal(url)

    def test_half_an_answer(self) -> None:
        with publisher(send(200, b'{"a": 1', Content_Length="100")) as url:
            assert "127.0.0.1 cannot be read" in url_refusal(url)

    @pytest.mark.parametrize(
        "url",
        [
            "http://models.dev/api.json",
            "ftp://models.dev/x",
            "file:///etc/passwd",
            "models.dev",
            "",
            "https://",
            "http://[x",
        ],
    )
    def test_address_that_is_none(self, url: str) -> None:
        assert "no address that begins with https://" in url_refusal(url)

    def test_http_to_this_machine_is_for_tests_only(self) -> None:
        assert "https://" in url_refusal("http://127.0.0.1:9/", loopback=False)


def _until_closed(answer: Any) -> Any:
    def quietly(handler: BaseHTTPRequestHandler) -> None:
        try:
            answer(handler)
        except OSError:
            handler.close_connection = True

    return quietly
