"""OpenSSF model signing: one signature over the digests of all files of a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath

import msgspec

from modelyard.errors import Untrusted
from modelyard.records.trust import Trust
from modelyard.signing.keys import PublicKey, Signer
from modelyard.signing.statement import SIGNED, attest, attested


class _Resource(msgspec.Struct, frozen=True):
    name: str
    algorithm: str
    digest: str


class _Serialization(msgspec.Struct, frozen=True):
    method: str
    hash_type: str
    allow_symlinks: bool = False
    ignore_paths: tuple[str, ...] = ()


class _Predicate(msgspec.Struct, frozen=True):
    serialization: _Serialization
    resources: tuple[_Resource, ...]


def sign_files(name: str, files: Mapping[str, str], *, signer: Signer) -> bytes:
    """A Sigstore bundle over ``files`` (path to sha256, hex), the folder being called ``name``."""
    resources = tuple(
        _Resource(path, "sha256", files[path]) for path in sorted(files, key=lambda p: PurePosixPath(p).parts)
    )
    predicate = _Predicate(_Serialization("files", "sha256"), resources)
    return attest({name: _root(resources)}, SIGNED, predicate=predicate, signer=signer, bundle=True)


def signed_files(content: bytes, trust: Trust, *, what: str) -> tuple[dict[str, str], PublicKey]:
    """The files (path to sha256) that a bundle signs, and by which trusted key.

    ``what`` begins the sentences. Raises ``Untrusted``.
    """
    statement, key = attested(content, SIGNED, trust=trust, what=what)
    try:
        predicate = msgspec.json.decode(statement.predicate, type=_Predicate)
    except msgspec.MsgspecError as error:
        raise Untrusted(f"{what} signs what is no list of files: {error}.") from None
    form = predicate.serialization
    if (form.method, form.hash_type) != ("files", "sha256"):
        raise Untrusted(
            f"{what} signs {form.method} by {form.hash_type}; only whole files by sha256 are understood: sign again."
        )
    digests = {subject.digest.get("sha256") for subject in statement.subject}
    files = {resource.name: resource.digest for resource in predicate.resources}
    if (
        any(resource.algorithm != "sha256" for resource in predicate.resources)
        or len(files) != len(predicate.resources)
        or digests != {_root(predicate.resources)}
    ):
        raise Untrusted(f"{what} contradicts itself: its list of files is not the one that it signs.")
    return files, key


def _root(resources: tuple[_Resource, ...]) -> str:
    whole = hashlib.sha256()
    for resource in resources:
        try:
            whole.update(bytes.fromhex(resource.digest))
        except ValueError:
            return ""
    return whole.hexdigest()
