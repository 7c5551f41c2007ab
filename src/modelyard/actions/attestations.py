"""What stands beside a package, bound to its digest: report, run, bill of materials, card, provenance, signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

import modelyard
from modelyard.actions.documented import model_facts
from modelyard.project import Project
from modelyard.records.package import Manifest, Package
from modelyard.records.report import Report
from modelyard.records.run import Run

if TYPE_CHECKING:
    from modelyard.training.hashes import Hashed

REPORT, RUN, SBOM, PROVENANCE = "report.json", "run.json", "sbom.cdx.json", "provenance.json"
CARD, LOCK = "card.md", "requirements.lock"


def attested(project: Project, package: Package, report: Report, digest: str) -> Package:
    """The package with a bill of materials, a lock, a card and signed provenance about ``report``, which has that digest.

    They are stored; the package's record is not.
    """
    from modelyard.documents import fill, form
    from modelyard.packaging.provenance import provenance
    from modelyard.packaging.sbom import sbom
    from modelyard.predictor import verify

    manifest = verify(project.package_folder(package.digest), package.digest)
    facts = model_facts(project, package, manifest, report=report, ref=f"{package.model}@{package.digest}")
    run, version = facts.run, modelyard.__version__
    libraries = hashes(project, package, manifest)
    bill = project.artifacts.put(
        sbom(
            manifest,
            package.digest,
            run=run,
            data=facts.data,
            report=report,
            modelyard=version,
            answers=facts.answers.answers,
            hashes=libraries.hashes,
            unlocked=libraries.reason,
        )
    )
    card = project.artifacts.put(fill(facts, form("card", "model")).text.encode())
    trained = project.artifacts.put(_bare(run))
    content = libraries.lock()
    lock = project.artifacts.put(content.encode()) if content is not None else None
    settings = project.settings.models.get(package.model)
    statement = provenance(
        package.digest,
        run=run,
        settings=msgspec.to_builtins(settings) if settings else {},
        lock=lock,
        byproducts={REPORT: digest, RUN: trained, SBOM: bill, CARD: card} | ({LOCK: lock} if lock else {}),
        modelyard=version,
        signer=project.signer(),
    )
    return msgspec.structs.replace(
        package,  # testing it is no reason to sign it: what it holds may be somebody else's
        report=digest,
        sbom=bill,
        card=card,
        trained=trained,
        lock=lock,
        unlocked=libraries.reason,
        provenance=project.artifacts.put(statement),
    )


def hashes(project: Project, package: Package, manifest: Manifest) -> Hashed:
    """The sha256 of what the package was sealed with: as it was told before, else as its own lock tells them, or
    the project's, or the package index."""
    from modelyard.training.environment import LOCK as OWN
    from modelyard.training.hashes import hashed

    kept = package.lock or next((f.sha256 for f in manifest.files if f.path == f"code/{OWN}"), None)
    if kept is None and manifest.requirements:
        project.tell(f"looking up the hashes of what {package.model} needs")
    return hashed(
        manifest.requirements,
        given=project.artifacts.get(kept).decode(errors="replace") if kept else "",
        root=project.root,
        home=project.home / "envs",
        index=project.settings.project.hashes == "index",
    )


def attestations(project: Project, package: Package) -> dict[str, bytes]:
    """All of them by name, as they stand beside an exported package."""
    return {name: project.artifacts.get(digest) for name, digest in named(package).items() if digest}


def named(package: Package) -> dict[str, str | None]:
    """The sha256 of each by its name; None of what there is none."""
    found = {
        REPORT: package.report,
        RUN: package.trained,
        SBOM: package.sbom,
        CARD: package.card,
        LOCK: package.lock,
        PROVENANCE: package.provenance,
    }
    return found | {f"{signature.key[:16]}.sig": signature.digest for signature in package.signatures}


def _bare(run: Run) -> bytes:
    """The run as another yard may have it: without what only this one holds."""
    return msgspec.json.encode(
        msgspec.structs.replace(run, process=None, log=None, points=None, artifacts=(), study=None)
    )
