"""What stands beside a package, bound to its digest: report, run, bill of materials, provenance, signatures."""

from __future__ import annotations

import msgspec

import modelyard
from modelyard.errors import UnknownName
from modelyard.project import Project
from modelyard.records.package import Package
from modelyard.records.report import Report
from modelyard.records.run import Run

REPORT, RUN, SBOM, PROVENANCE = "report.json", "run.json", "sbom.cdx.json", "provenance.json"


def attested(project: Project, package: Package, report: Report, digest: str) -> Package:
    """The package with a bill of materials and signed provenance about ``report``, which has that digest.

    They are stored; the package's record is not.
    """
    from modelyard.packaging.provenance import provenance
    from modelyard.packaging.sbom import sbom
    from modelyard.predictor import verify

    run = _run(project, package)
    name, _, number = run.dataset.partition("@")
    with project.yard.read() as facts:
        data = facts.datasets.get(name, int(number)) if number.isdecimal() else None
    if data is not None and data.digest != run.dataset_digest:
        data = None  # the number is another yard's
    manifest = verify(project.package_folder(package.digest), package.digest)
    version = modelyard.__version__
    bill = project.artifacts.put(
        sbom(manifest, package.digest, run=run, data=data, report=report, modelyard=version)
    )
    trained = project.artifacts.put(_bare(run))
    lock = next((f.sha256 for f in manifest.files if f.path == "code/requirements.model.lock"), None)
    settings = project.settings.models.get(package.model)
    content = provenance(
        package.digest,
        run=run,
        settings=msgspec.to_builtins(settings) if settings else {},
        lock=lock,
        byproducts={REPORT: digest, RUN: trained, SBOM: bill},
        modelyard=version,
        signer=project.signer(),
    )
    return msgspec.structs.replace(
        package,  # testing it is no reason to sign it: what it holds may be somebody else's
        report=digest,
        sbom=bill,
        trained=trained,
        provenance=project.artifacts.put(content),
    )


def attestations(project: Project, package: Package) -> dict[str, bytes]:
    """All of them by name, as they stand beside an exported package."""
    named = {
        REPORT: package.report,
        RUN: package.trained,
        SBOM: package.sbom,
        PROVENANCE: package.provenance,
    }
    named |= {f"{signature.key[:16]}.sig": signature.digest for signature in package.signatures}
    return {name: project.artifacts.get(digest) for name, digest in named.items() if digest}


def _run(project: Project, package: Package) -> Run:
    with project.yard.read() as facts:
        run = facts.runs.get(package.run)
    if run is None:
        raise UnknownName(
            f"The run {package.run} of {package.model} is not in the yard; run 'modelyard doctor'."
        )
    return run


def _bare(run: Run) -> bytes:
    """The run as another yard may have it: without what only this one holds."""
    return msgspec.json.encode(
        msgspec.structs.replace(run, process=None, log=None, points=None, artifacts=(), study=None)
    )
