"""Tokens of an identity provider, and what each may still ask for."""

from __future__ import annotations

import base64
import datetime as dt
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from serving_parts import Running, plan_for, serve_numeric

from modelyard.errors import SettingsError
from modelyard.records.service import Jwt, Quota
from modelyard.serving import quota as quota_module
from modelyard.serving.bearers import Bearers
from modelyard.serving.quota import Counts, spans
from modelyard.wire.problem import Problem

PREDICT = "/models/screening/predict"
ROW = {"rows": [{"age": 50, "size": 3.5}]}
ISSUER, AUDIENCE = "https://id.example.org", "screening"


class Provider:
    """Signs tokens, and tells its public keys."""

    def __init__(self, kid: str = "k1", kind: str = "EC") -> None:
        self.kid = kid
        self.key: Any = (
            ec.generate_private_key(ec.SECP256R1())
            if kind == "EC"
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )
        self.algorithm = "ES256" if kind == "EC" else "RS256"

    def jwks(self) -> bytes:
        made = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**made, "kid": self.kid, "alg": self.algorithm, "use": "sig"}]}).encode()

    def token(self, seconds: float = 600, **changes: Any) -> str:
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": time.time() + seconds}
        claims = {k: v for k, v in (claims | changes).items() if v is not None}
        return jwt.encode(claims, self.key, self.algorithm, headers={"kid": self.kid})


def settings(keys: object, **more: Any) -> Jwt:
    return Jwt(keys=str(keys), issuer=ISSUER, audience=AUDIENCE, **more)


def asked(running: Running, token: str) -> tuple[int, Any]:
    return running.json("POST", PREDICT, ROW, Authorization=f"Bearer {token}")


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_a_token_of_the_provider_is_accepted_and_no_other(
    kind: str, tmp_path: Path, start: Callable[..., Running]
) -> None:
    provider, keys = Provider(kind=kind), tmp_path / "jwks.json"
    keys.write_bytes(provider.jwks())
    running = start(plan_for(serve_numeric(tmp_path / "p"), jwt=settings(keys, scope="predict")))
    good = provider.token(scope="read predict")
    assert asked(running, good)[0] == 200
    assert asked(running, provider.token(scp=["predict"]))[0] == 200
    assert running.json("GET", "/health")[0] == 200
    assert running.json("POST", PREDICT, ROW)[0] == 401
    head, _, mark = good.split(".")
    forged = base64.urlsafe_b64encode(
        json.dumps({**jwt.decode(good, options={"verify_signature": False}), "sub": "eve"}).encode()
    )
    public = provider.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    shared = jwt.encode({"sub": "eve"}, base64.b64encode(public).decode(), "HS256", headers={"kid": "k1"})
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "eve", "exp": time.time() + 60, "scope": "predict"}
    refused = {
        "expired": provider.token(-60, scope="predict"),
        "endless": provider.token(scope="predict", exp=None),
        "of nobody": provider.token(scope="predict", sub=None),
        "of another issuer": provider.token(scope="predict", iss="https://evil.example"),
        "for others": provider.token(scope="predict", aud="other"),
        "not yet": provider.token(scope="predict", nbf=time.time() + 600),
        "without the scope": provider.token(scope="predictions"),
        "of no scope that can be": provider.token(scope=5),
        "edited": f"{head}.{forged.decode().rstrip('=')}.{mark}",
        "of another key": Provider(kind=kind).token(scope="predict"),
        "of an unknown key": Provider("k2", kind).token(scope="predict"),
        "unsigned": jwt.encode(claims, None, "none", headers={"kid": "k1"}),
        "of a shared secret": shared,
        "cut": good[:-5],
        "huge": f"{head}.{'a' * 9000}.{mark}",
        "nonsense": "a.b.c",
        "empty": "..",
    }
    for why, token in refused.items():
        status, said = asked(running, token)
        assert status == 401, (why, said)
        assert token not in json.dumps(said)
    assert asked(running, good)[0] == 200
    assert good.encode() not in running.log.read_bytes()


def test_a_remembered_head_stops_counting_with_its_token(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    provider, keys = Provider(), tmp_path / "jwks.json"
    keys.write_bytes(provider.jwks())
    running = start(plan_for(serve_numeric(tmp_path / "p"), jwt=settings(keys)))
    token = provider.token(-28)  # clocks may differ by 30 s
    assert asked(running, token)[0] == 200
    assert running.json("GET", "/models", Authorization=f"Bearer {token}")[0] == 200
    until = time.monotonic() + 20
    while asked(running, token)[0] == 200:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert "expired" in asked(running, token)[1]["error"]["message"]
    assert running.json("GET", "/models", Authorization=f"Bearer {token}")[0] == 401
    token = provider.token(nbf=time.time() + 32)  # neither is one forgotten that counts later
    assert asked(running, token)[0] == 401
    until = time.monotonic() + 20
    while asked(running, token)[0] == 401:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert asked(running, provider.token())[0] == 200
    new = Provider("k2")
    token = provider.token()
    assert asked(running, token)[0] == 200
    keys.write_bytes(new.jwks())
    until = time.monotonic() + 20
    while asked(running, token)[0] == 200:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert asked(running, new.token())[0] == 200


@pytest.fixture
def published() -> Iterator[tuple[str, dict[str, Any]]]:
    """An address of keys, and what it answers next."""
    told: dict[str, Any] = {"status": 200, "body": b"{}", "asked": 0, "location": ""}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told["asked"] += 1
            self.send_response(told["status"])
            if told["location"]:
                self.send_header("location", told["location"])
            self.send_header("content-length", str(len(told["body"])))
            self.end_headers()
            self.wfile.write(told["body"])

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/jwks.json", told
    server.shutdown()
    thread.join()
    server.server_close()


def test_keys_of_an_address_follow_the_provider(
    published: tuple[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelyard.serving import bearers

    monkeypatch.setattr(bearers, "_LOOK_SOONEST", 0.05)
    address, told = published
    old, new = Provider("old"), Provider("new")
    told["body"] = old.jwks()
    reader, changed = Bearers(settings(address)), threading.Event()
    reader.watch(changed.set)
    try:
        assert reader.read(old.token())[0] == "ann"
        told["body"] = new.jwks()
        with pytest.raises(bearers.Refused, match="not among the provider's"):
            reader.read(new.token())
        assert changed.wait(20)
        assert reader.read(new.token())[0] == "ann"
        told.update(status=500, body=b"")
        asked_before = told["asked"]
        with pytest.raises(bearers.Refused):
            reader.read(old.token())
        until = time.monotonic() + 20
        while told["asked"] == asked_before:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert reader.read(new.token())[0] == "ann"  # the keys before it stay
    finally:
        reader.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 500}, "cannot be read"),
        ({"status": 302, "location": "http://127.0.0.1:1/"}, "cannot be read"),
        ({"body": b"<html>"}, "is no JWKS"),
        ({"body": b"[]"}, "is no JWKS"),
        ({"body": b'{"keys": []}'}, "is no JWKS"),
        ({"body": b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "s"}]}'}, "no public key"),
        ({"body": b" " * (1 << 20) + b"{}"}, "more than"),
    ],
)
def test_an_address_that_gives_no_keys_is_named(
    answer: dict[str, Any], said: str, published: tuple[str, dict[str, Any]]
) -> None:
    address, told = published
    told.update(answer)
    with pytest.raises(SettingsError, match=said):
        Bearers(settings(address))
    with pytest.raises(SettingsError, match="without TLS"):
        Bearers(settings("http://id.example.org/jwks.json"))
    with pytest.raises(SettingsError, match="cannot be read"):
        Bearers(settings("/nowhere/jwks.json"))


def test_a_quota_is_one_over_workers_and_restarts(tmp_path: Path, start: Callable[..., Running]) -> None:
    provider, keys = Provider(), tmp_path / "jwks.json"
    keys.write_bytes(provider.jwks())
    quota = Quota(requests=30, per="month", path=str(tmp_path / "quota.bin"))
    plan = plan_for(serve_numeric(tmp_path / "p"), jwt=settings(keys), quota=quota, workers=2)
    running = start(plan)
    ann, bob = provider.token(), provider.token(sub="bob")
    got = Counter(asked(running, ann)[0] for _ in range(20))
    running.stop()
    running = start(msgspec.structs.replace(plan, workers=1))
    got += Counter(asked(running, ann)[0] for _ in range(20))
    assert got == {200: 30, 429: 10}
    status, headers, body = running.ask("POST", PREDICT, ROW, {"Authorization": f"Bearer {ann}"})
    assert (status, json.loads(body)["error"]["code"]) == (429, "quota_used_up")
    assert 0 < int(headers["retry-after"]) <= 31 * 86_400
    assert asked(running, bob)[0] == 200
    assert running.json("GET", "/models", Authorization=f"Bearer {ann}")[0] == 200


@given(
    moment=st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)),
    per=st.sampled_from(["hour", "day", "month"]),
)
def test_periods_are_the_calendar_s(moment: dt.datetime, per: str) -> None:
    number, following = spans(per, moment)
    assert number <= moment.timestamp() < following.timestamp()
    assert spans(per, following)[0] == int(following.timestamp())
    assert spans(per, following - dt.timedelta(microseconds=1))[0] == number


def test_a_new_period_begins_anew_and_a_full_table_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota_module, "_ROWS", 4)
    moment = [dt.datetime(2026, 3, 1, 23, 59, 59, tzinfo=dt.UTC)]
    quota = Quota(requests=2, per="day", path=str(tmp_path / "q"))
    one, two = (Counts(quota, slot, lambda: moment[0]) for slot in (0, 1))
    answered: list[str] = []

    def ask(counts: Counts, who: str) -> str:
        try:
            counts.counted(answered.append, who)(who)
        except Problem as problem:
            return problem.code
        return "ok"

    assert [ask(one, "a"), ask(two, "a"), ask(one, "a"), ask(two, "a")] == ["ok", "ok"] + [
        "quota_used_up"
    ] * 2
    assert one.used("a") == 2
    assert [ask(one, who) for who in "bcde"] == ["ok", "ok", "ok", "quota_full"]
    moment[0] += dt.timedelta(seconds=1)
    assert [ask(one, who) for who in "aaae"] == ["ok", "ok", "quota_used_up", "ok"]
    one.close()
    two.close()
