"""A signature of files: whose counts, and what is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelyard.errors import Untrusted
from modelyard.records.trust import Trust
from modelyard.signing import Signer, attest, attested, sign_files, signed_files, signer

FILES = {"a/x": "11" * 32, "a-b": "22" * 32, "manifest.json": "33" * 32}


@pytest.fixture
def key(tmp_path: Path) -> Signer:
    return signer(tmp_path / "keys")


@pytest.fixture
def trust(key: Signer) -> Trust:
    return Trust(keys=(key.public.pem,), where="in prod")


def test_a_trusted_key_is_told_with_what_it_signed(key: Signer, trust: Trust, tmp_path: Path) -> None:
    content = sign_files("screening", FILES, signer=key)
    assert signed_files(content, trust, what="it") == (FILES, key.public)
    more = Trust(keys=(signer(tmp_path / "other").public.pem, *trust.keys))
    assert signed_files(content, more, what="it")[1] == key.public


def test_an_unknown_and_a_revoked_key_are_named(key: Signer, trust: Trust, tmp_path: Path) -> None:
    content = sign_files("screening", FILES, signer=key)
    stranger = Trust(keys=(signer(tmp_path / "other").public.pem,), where="in prod")
    with pytest.raises(
        Untrusted, match=rf"it is by the key {key.public.id[:16]}, which is not trusted in prod"
    ):
        signed_files(content, stranger, what="it")
    revoked = Trust(keys=trust.keys, revoked=(key.public.id[:12],))
    with pytest.raises(Untrusted, match=rf"it is by the key {key.public.id[:16]}, which is revoked"):
        signed_files(content, revoked, what="it")


def _edited(change: Callable[[dict[str, Any], dict[str, Any]], None], content: bytes) -> bytes:
    """The bundle after ``change(bundle, statement)``, its signature as it was."""
    bundle = json.loads(content)
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    change(bundle, statement)
    if isinstance(bundle.get("dsseEnvelope"), dict) and "kept" not in bundle:
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    bundle.pop("kept", None)
    return json.dumps(bundle).encode()


EDITS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]] = {
    "a file": lambda _, s: s["predicate"]["resources"][0].update(digest="44" * 32),
    "a name": lambda _, s: s["predicate"]["resources"].pop(),
    "the type": lambda _, s: s.update(predicateType="https://slsa.dev/provenance/v1"),
    "the payload type": lambda b, _: b["dsseEnvelope"].update(payloadType="text/plain") or b.update(kept=1),
    "the signature": lambda b, _: b["dsseEnvelope"]["signatures"][0].update(sig="AAAA") or b.update(kept=1),
    "no base64": lambda b, _: b["dsseEnvelope"]["signatures"][0].update(sig="?") or b.update(kept=1),
    "no signatures": lambda b, _: b["dsseEnvelope"].update(signatures=[]) or b.update(kept=1),
    "the media type": lambda b, _: b.update(mediaType="text/plain", kept=1),
    "no envelope": lambda b, _: b.update(dsseEnvelope=None),
    "another key's hint": lambda b, _: b["verificationMaterial"]["publicKey"].update(hint="0" * 64),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_was_edited_is_refused(edit: str, key: Signer, trust: Trust) -> None:
    content = sign_files("screening", FILES, signer=key)
    with pytest.raises(Untrusted, match=r"^it "):
        signed_files(_edited(EDITS[edit], content), trust, what="it")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_bundle_is_refused(content: bytes, trust: Trust) -> None:
    with pytest.raises(Untrusted, match="it is damaged"):
        signed_files(content, trust, what="it")


@pytest.mark.parametrize(
    ("serialization", "resources", "sentence"),
    [
        ({"method": "shards", "hash_type": "sha256"}, [], "only whole files by sha256 are understood"),
        ({"method": "files", "hash_type": "blake2"}, [], "only whole files by sha256 are understood"),
        ({"method": "files", "hash_type": "sha256"}, [["a", "sha256", "55" * 32]], "contradicts itself"),
        ({"method": "files", "hash_type": "sha256"}, [["a", "sha256", "no hex"]], "contradicts itself"),
        ({}, [], "signs what is no list of files"),
    ],
)
def test_a_signed_statement_that_is_not_understood(
    serialization: dict[str, str], resources: list[list[str]], sentence: str, key: Signer, trust: Trust
) -> None:
    predicate = {
        "serialization": serialization,
        "resources": [dict(zip(("name", "algorithm", "digest"), one, strict=True)) for one in resources],
    }
    kind = "https://model_signing/signature/v1.0"
    content = attest({"screening": "66" * 32}, kind, predicate=predicate, signer=key, bundle=True)
    with pytest.raises(Untrusted, match=sentence):
        signed_files(content, trust, what="it")


def test_a_bare_envelope_is_of_its_key_and_its_type(key: Signer, trust: Trust) -> None:
    content = attest(
        {"m": "11" * 32}, "https://slsa.dev/provenance/v1", predicate={"a": 1}, signer=key, bundle=False
    )
    assert json.loads(content)["payloadType"] == "application/vnd.in-toto+json"
    statement, by = attested(content, "https://slsa.dev/provenance/v1", trust=trust, what="it")
    assert by == key.public
    assert statement.subject[0].digest == {"sha256": "11" * 32}
    with pytest.raises(Untrusted, match="a statement of the type"):
        signed_files(content, trust, what="it")
