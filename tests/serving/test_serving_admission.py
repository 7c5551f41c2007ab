"""Pages of other sites, and how often a token may ask."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving_parts import Running, plan_for, serve_numeric

from modelyard.serving.admission import Bucket

PREDICT = "/models/screening/predict"
ROW = {"rows": [{"age": 50, "size": 3.5}]}
SITE = "https://app.example.org"
ALLOWED = "access-control-allow-origin"


@given(
    rate=st.floats(0.1, 1000),
    steps=st.lists(st.floats(0, 3), min_size=1, max_size=80),
)
def test_a_bucket_gives_no_more_than_its_rate_and_tells_how_long_to_wait(
    rate: float, steps: list[float]
) -> None:
    bucket, now, taken = Bucket(rate, 0.0), 0.0, 0
    for step in steps:
        now += step
        wait = bucket.take(now)
        if wait:
            assert wait <= 1 / rate + 1e-9
        else:
            taken += 1
        assert taken <= max(1.0, rate) + rate * now + 1e-6


def test_pages_of_named_sites_may_ask_and_read(tmp_path: Path, start: Callable[..., Running]) -> None:
    running = start(plan_for(serve_numeric(tmp_path / "p"), origins=(SITE,)))
    asked = {"Origin": SITE, "Access-Control-Request-Method": "POST"}
    status, headers, _ = running.ask("OPTIONS", PREDICT, headers=asked)
    assert (status, headers[ALLOWED]) == (200, SITE)
    assert "authorization" in headers["access-control-allow-headers"]
    status, headers, _ = running.ask("POST", PREDICT, ROW, {"Origin": SITE})
    assert (status, headers[ALLOWED], headers["vary"]) == (200, SITE, "origin")
    status, headers, _ = running.ask("POST", PREDICT, {"rows": []}, {"Origin": SITE})
    assert (status, headers[ALLOWED]) == (400, SITE)
    for origin in ("https://evil.example", "null", SITE + ".evil.example", SITE.upper()):
        status, headers, _ = running.ask("POST", PREDICT, ROW, {"Origin": origin})
        assert status == 403
        assert ALLOWED not in headers
        status, headers, _ = running.ask("OPTIONS", PREDICT, headers=asked | {"Origin": origin})
        assert status == 405
        assert ALLOWED not in headers
    assert running.ask("POST", PREDICT, ROW)[0] == 200


def test_a_token_is_asked_for_beside_the_site(tmp_path: Path, start: Callable[..., Running]) -> None:
    token = hashlib.sha256(b"secret").hexdigest()
    running = start(plan_for(serve_numeric(tmp_path / "p"), origins=(SITE,), token_sha256=(token,)))
    asked = {"Origin": SITE, "Access-Control-Request-Method": "POST"}
    assert running.ask("OPTIONS", PREDICT, headers=asked)[0] == 200
    status, headers, _ = running.ask("POST", PREDICT, ROW, {"Origin": SITE})
    assert (status, headers[ALLOWED]) == (401, SITE)
    with_token = {"Origin": SITE, "Authorization": "Bearer secret"}
    assert running.ask("POST", PREDICT, ROW, with_token)[0] == 200


def test_each_token_has_its_rate_and_a_new_plan_changes_it(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    tokens = tuple(hashlib.sha256(word).hexdigest() for word in (b"one", b"two"))
    plan = plan_for(serve_numeric(tmp_path / "p"), token_sha256=tokens, rate_limit=0.01)
    running = start(plan)

    def ask(token: str, times: int) -> Counter[int]:
        found: Counter[int] = Counter()
        for _ in range(times):
            status, headers, content = running.ask("POST", PREDICT, ROW, {"Authorization": f"Bearer {token}"})
            found[status] += 1
            if status == 429:
                assert 1 <= int(headers["retry-after"]) <= 100
                assert msgspec.json.decode(content)["error"]["code"] == "rate_limited"
        return found

    assert ask("one", 5) == {200: 1, 429: 4}
    assert ask("two", 2) == {200: 1, 429: 1}
    assert running.ask("GET", "/health")[0] == 200
    running.write(msgspec.structs.replace(plan, rate_limit=None, generation=2))
    running.wait(lambda state: state.generation == 2)
    assert ask("one", 5) == {200: 5}


@pytest.mark.parametrize("origins", [()])
def test_without_named_sites_nothing_is_told_of_them(
    tmp_path: Path, start: Callable[..., Running], origins: tuple[str, ...]
) -> None:
    running = start(plan_for(serve_numeric(tmp_path / "p"), origins=origins))
    _, headers, _ = running.ask("POST", PREDICT, ROW)
    assert "vary" not in headers
    assert running.ask("OPTIONS", PREDICT, headers={"Origin": SITE})[0] == 405
