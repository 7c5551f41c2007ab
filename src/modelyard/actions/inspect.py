"""What a package is, who signed it and what stands beside it, for ``versions show``."""

from __future__ import annotations

from typing import Literal

import msgspec

from modelyard.actions.attestations import CARD, PROVENANCE, REPORT, SBOM, attestations
from modelyard.actions.keys import keys
from modelyard.actions.locate import located, materialised
from modelyard.actions.look import Registered, registered
from modelyard.errors import UnknownName
from modelyard.project import Project
from modelyard.records.package import Package

Document = Literal["report", "sbom", "card", "provenance"]
_NAMES: dict[Document, str] = {"report": REPORT, "sbom": SBOM, "card": CARD, "provenance": PROVENANCE}


class SignedBy(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    trusted: tuple[str, ...] = ()
    """Environments in which the key is trusted; none when it is revoked."""


class Inspected(msgspec.Struct, frozen=True, kw_only=True):
    package: Package
    version: Registered | None = None
    """None for a package that is not registered."""
    form: str
    files: int
    size: int
    """Bytes of all files."""
    signed: tuple[SignedBy, ...]


def inspect(project: Project, ref: str) -> Inspected:
    """The package that ``ref`` names, every byte of it verified."""
    from modelyard.predictor import verify

    package = located(project, ref)
    manifest = verify(materialised(project, package.digest), package.digest)
    known = {key.id: key for key in keys(project)}
    signed = [
        SignedBy(
            key=s.key, trusted=known[s.key].trusted if s.key in known and not known[s.key].revoked else ()
        )
        for s in package.signatures
    ]
    with project.yard.read() as facts:
        known_as = facts.versions.by_package(package.model, package.digest)
    return Inspected(
        package=package,
        version=registered(project, known_as) if known_as else None,
        form=manifest.form,
        files=len(manifest.files),
        size=sum(file.size for file in manifest.files),
        signed=tuple(signed),
    )


def document(project: Project, ref: str, kind: Document) -> bytes:
    """The JSON of an attestation; ``UnknownName`` when there is none yet."""
    found = attestations(project, located(project, ref)).get(_NAMES[kind])
    if found is None:
        raise UnknownName(f"There is no {kind} of {ref} yet; run 'modelyard evaluate {ref}', which makes it.")
    return found
