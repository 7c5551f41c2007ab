"""in-toto statements in DSSE envelopes, alone or in a Sigstore bundle."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from modelyard.errors import Untrusted
from modelyard.records.trust import Trust
from modelyard.signing.keys import PublicKey, Signer

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
SIGNED = "https://model_signing/signature/v1.0"
"""The predicate of OpenSSF model signatures."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    digest: dict[str, str]


class Statement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was signed, once its signature was verified."""

    type: str = msgspec.field(name="_type")
    subject: tuple[Subject, ...]
    predicate_type: str
    predicate: msgspec.Raw


class _Signature(msgspec.Struct, frozen=True, omit_defaults=True):
    sig: str
    keyid: str = ""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    payload: str
    payload_type: str
    signatures: tuple[_Signature, ...]


class _Hint(msgspec.Struct, frozen=True):
    hint: str = ""


class _Material(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    public_key: _Hint
    tlog_entries: tuple[dict[str, Any], ...] = ()


class Bundle(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    media_type: str
    verification_material: _Material
    dsse_envelope: Envelope


def attest(
    subject: Mapping[str, str], predicate_type: str, *, predicate: object, signer: Signer, bundle: bool
) -> bytes:
    """A signed statement on ``subject`` (name to sha256): a Sigstore bundle, or a bare DSSE envelope."""
    payload = msgspec.json.encode(
        {
            "_type": STATEMENT,
            "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subject.items()],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )
    signature = base64.b64encode(signer.sign(_pae(PAYLOAD, payload))).decode()
    envelope = Envelope(
        payload=base64.b64encode(payload).decode(),
        payload_type=PAYLOAD,
        signatures=(_Signature(signature, "" if bundle else signer.public.id),),
    )
    if not bundle:
        return msgspec.json.encode(envelope)
    material = _Material(public_key=_Hint(signer.public.id))
    return msgspec.json.encode(
        Bundle(media_type=BUNDLE, verification_material=material, dsse_envelope=envelope)
    )


def attested(content: bytes, predicate_type: str, *, trust: Trust, what: str) -> tuple[Statement, PublicKey]:
    """The statement in a bundle or envelope, and the trusted key that signed it.

    ``what`` begins the sentences. Raises ``Untrusted`` when it is damaged, is of another type, or is signed by no
    key that ``trust`` holds and does not revoke.
    """
    envelope, hints = _envelope(content, what)
    key, payload = _signed(envelope, hints, trust, what)
    try:
        statement = msgspec.json.decode(payload, type=Statement)
    except msgspec.MsgspecError as error:
        raise Untrusted(f"{what} signs what is no in-toto statement: {error}.") from None
    if (statement.type, statement.predicate_type) != (STATEMENT, predicate_type):
        raise Untrusted(
            f"{what} signs a statement of the type {statement.predicate_type!r}, not {predicate_type!r}."
        )
    return statement, key


def _envelope(content: bytes, what: str) -> tuple[Envelope, list[str]]:
    """The envelope, and the ids of keys that it says it was signed by."""
    try:
        raw = msgspec.json.decode(content)
        if isinstance(raw, dict) and "dsseEnvelope" in raw:
            bundle = msgspec.convert(raw, Bundle)
            if bundle.media_type != BUNDLE:
                raise Untrusted(f"{what} is a bundle of the type {bundle.media_type!r}, not {BUNDLE!r}.")
            hint = bundle.verification_material.public_key.hint
            return bundle.dsse_envelope, [hint] if hint else []
        envelope = msgspec.convert(raw, Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Untrusted(f"{what} is damaged: {error}.") from None
    return envelope, [s.keyid for s in envelope.signatures if s.keyid]


def _signed(envelope: Envelope, hints: list[str], trust: Trust, what: str) -> tuple[PublicKey, bytes]:
    """The payload, and the key that signed it."""
    for hint in hints:
        if revoked(hint, trust):
            raise Untrusted(f"{what} is by the key {hint[:16]}, which is revoked; have it signed anew.")
    known = [key for pem in trust.keys if not revoked((key := PublicKey(pem)).id, trust)]
    candidates = [key for key in known if not hints or key.id in hints]
    if not candidates:
        by = f"by the key {hints[0][:16]}" if hints else "by a key"
        raise Untrusted(
            f"{what} is {by}, which is not trusted {trust.where}; name its public half in the settings "
            "('signing.trusted', or 'trusted' of the environment), or sign with a key that is."
        )
    try:
        payload = base64.b64decode(envelope.payload, validate=True)
        signatures = [base64.b64decode(s.sig, validate=True) for s in envelope.signatures]
    except (binascii.Error, ValueError):
        raise Untrusted(f"{what} is damaged: it is no base64.") from None
    content = _pae(envelope.payload_type, payload)
    for key in candidates:
        if envelope.payload_type == PAYLOAD and any(key.verifies(s, content) for s in signatures):
            return key, payload
    raise Untrusted(f"{what} does not verify: it was changed after it was signed.")


def revoked(key: str, trust: Trust) -> bool:
    """Whether the id is among those that count no more."""
    return any(key.startswith(beginning.lower()) for beginning in trust.revoked)


def _pae(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)
