"""``import``: a package that was made elsewhere becomes one of this yard."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from pathlib import Path

import msgspec

from modelyard.actions.attestations import CARD, LOCK, PROVENANCE, REPORT, RUN, SBOM
from modelyard.actions.foreign import sealed
from modelyard.actions.signed import merged, signed
from modelyard.errors import Untrusted
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.package import Manifest, Package
from modelyard.records.run import Code, Run
from modelyard.records.trust import Signature
from modelyard.storage.scratch import scratch


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    package: Package
    ref: str
    """What names it until it is registered."""
    keys: tuple[str, ...]
    """Ids of trusted keys that had signed it."""
    tested: bool
    """Whether its report came with it, named by a provenance that a trusted key signed."""


ELSEWHERE = "elsewhere"
"""The dataset of what was trained where nobody here can look."""


def import_(
    project: Project, source: Path, *, model: str | None = None, trust: str | None = None
) -> Imported:
    """Take the package in the file ``source`` (``.mypkg``), once every byte and its signature hold; or seal what was
    made without Modelyard as a package of ``model``: an MLflow folder, ``.onnx``, ``.skops`` or a pickle.

    ``trust`` is a person's reason to answer for a package that no trusted key signed: it is recorded, and this
    machine's key signs the package. Report, run and bill of materials come along when a trusted key signed the
    provenance that names them. Raises ``Tampered``, ``Untrusted``, or ``UnknownName`` for a model that the settings
    lack.
    """
    from modelyard.packaging import ENDING, store, unpack

    if source.suffix != ENDING:
        return _foreign(project, source, model=model, trust=trust)
    with scratch("import-", project.scratch) as place:
        folder = place / "package"
        project.tell(f"verifying {source.name}")
        manifest, attestations = unpack(source, folder)
        project.model(manifest.model)
        digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
        found = _signatures(project, manifest, digest, attestations, source=source, trust=trust)
        project.tell(f"storing {source.name}")
        store(folder, project.artifacts)
    signatures = tuple(
        Signature(key=key, digest=project.artifacts.put(content)) for key, content in found.items()
    )
    package, run = _evidence(project, manifest, digest, attestations)
    package = msgspec.structs.replace(package, signatures=signatures)
    return save(project, package, run, source=source, trust=trust, sign=trust is not None)


def _foreign(project: Project, source: Path, *, model: str | None, trust: str | None) -> Imported:
    manifest, digest = sealed(project, source, model=model, trust=trust)
    run = trained_elsewhere(manifest.model, digest)
    package = Package(digest=digest, model=manifest.model, run=run.id, created=now())
    return save(project, package, run, source=source, trust=trust, sign=True)


def save(
    project: Project, package: Package, run: Run, *, source: Path, trust: str | None, sign: bool
) -> Imported:
    """Put an imported package, whose content is stored, on record; with ``sign`` this machine's key signs it."""
    keys = tuple(signature.key for signature in package.signatures)
    if sign:
        mine = signed(project, package).signatures
        package = merged(package, msgspec.structs.replace(package, signatures=mine))

    def put(facts: Facts) -> Package:
        known = facts.packages.get(package.digest)
        if known is None and facts.runs.get(run.id) is None:
            facts.runs.put(run)
        done = package  # of one that is here already only the signatures are news
        if known is not None:
            done = msgspec.structs.replace(known, signatures=merged(known, package).signatures)
        facts.packages.put(done)
        facts.events.append(
            "package.imported",
            f"{done.model}@run/{done.run}",
            package=done.digest,
            file=source.name[:200],
            signed=", ".join(key[:16] for key in keys) or "no trusted key",
            trusted=(trust or "")[:500],
        )
        return done

    done = project.yard.once(fresh("import"), project.actor, put, Package)
    return Imported(
        package=done, ref=f"{done.model}@{done.digest}", keys=keys, tested=done.report is not None
    )


def trained_elsewhere(model: str, digest: str) -> Run:
    """The run of a package of which nobody here knows how it was trained."""
    return Run(
        id=uuid.uuid4().hex[:12],
        model=model,
        status="finished",
        dataset=ELSEWHERE,
        dataset_digest="",
        params={},
        seed=0,
        code=Code(digest=digest),
        environment={},
        candidate=digest,
        started=now(),
    )


def _signatures(
    project: Project,
    manifest: Manifest,
    digest: str,
    attestations: Mapping[str, bytes],
    *,
    source: Path,
    trust: str | None,
) -> dict[str, bytes]:
    """The signatures of trusted keys by the key's id; ``Untrusted`` when there is none and nobody answers for it."""
    from modelyard.signing import signed_files

    files = {file.path: file.sha256 for file in manifest.files} | {"manifest.json": digest}
    found: dict[str, bytes] = {}
    refused = ["it has no signature."]
    for name in sorted(name for name in attestations if name.endswith(".sig")):
        what = f"its signature {name}"
        try:
            told, key = signed_files(attestations[name], project.trust(), what=what)
        except Untrusted as error:
            refused.append(str(error))
            continue
        if told == files:
            found[key.id] = attestations[name]
        else:
            refused.append(f"{what} is of another package.")
    if not found and trust is None:
        raise Untrusted(
            f"{source} is not taken: {refused[-1].rstrip('.')}; whoever answers for it gives --trust 'REASON'."
        )
    return found


def _evidence(
    project: Project, manifest: Manifest, digest: str, attestations: Mapping[str, bytes]
) -> tuple[Package, Run]:
    """The package's record with what the provenance vouches for, and its run."""
    from modelyard.packaging.provenance import told

    run = trained_elsewhere(manifest.model, digest)
    package = Package(digest=digest, model=manifest.model, run=run.id, created=now())
    if PROVENANCE not in attestations:
        return package, run
    try:
        named, _ = told(
            attestations[PROVENANCE], digest, trust=project.trust(), what=f"the provenance of {digest[:12]}"
        )
    except Untrusted:
        return package, run
    held = {
        name: attestations[name]
        for name in (REPORT, RUN, SBOM, CARD, LOCK)
        if name in attestations and hashlib.sha256(attestations[name]).hexdigest() == named.get(name)
    }
    if not {REPORT, RUN, SBOM} <= set(held):
        return package, run
    try:
        run = msgspec.json.decode(held[RUN], type=Run)
    except msgspec.MsgspecError as error:
        raise Untrusted(f"The {RUN} of {digest[:12]} is no run's record: {error}.") from None
    stored = {name: project.artifacts.put(content) for name, content in held.items()}
    return (
        msgspec.structs.replace(
            package,
            run=run.id,
            report=stored[REPORT],
            sbom=stored[SBOM],
            card=stored.get(CARD),
            lock=stored.get(LOCK),
            trained=stored[RUN],
            provenance=project.artifacts.put(attestations[PROVENANCE]),
        ),
        run,
    )
