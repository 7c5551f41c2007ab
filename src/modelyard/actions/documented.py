"""What documents about a package may name. A noun that ``card`` and a package's attestations share."""

from __future__ import annotations

import msgspec

import modelyard
from modelyard.documents import DATA, MODEL, ModelFacts
from modelyard.errors import UnknownName
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.records.package import Manifest, Package, Proof
from modelyard.records.registry import Version
from modelyard.records.report import Report
from modelyard.records.run import Run
from modelyard.settings import cards


def model_facts(
    project: Project,
    package: Package,
    manifest: Manifest,
    *,
    report: Report,
    ref: str,
    version: Version | None = None,
) -> ModelFacts:
    """Of a package that was tested; with ``version`` what became of that too."""
    with project.yard.read() as facts:
        run = facts.runs.get(package.run)
        data = _data(facts.datasets.get(*_parted(run.dataset)) if run else None, run)
        releases = facts.releases.list(model=package.model) if version else []
        reviews = facts.reviews.list(package.model, version.number) if version else []
    if run is None:
        raise UnknownName(
            f"The run {package.run} of {package.model} is not in the yard; run 'modelyard doctor'."
        )
    proof = next((file.sha256 for file in manifest.files if file.path == "proof.json"), "")
    return ModelFacts(
        project=project.settings.project.name,
        ref=ref,
        package=package.digest,
        manifest=manifest,
        proof=msgspec.json.decode(project.artifacts.get(proof), type=Proof),
        run=run,
        report=report,
        data=data,
        settings=project.settings.models.get(package.model),
        version=version,
        releases=tuple(r for r in reversed(releases) if version and r.version == version.number),
        reviews=tuple(reviews),
        keys=tuple(signature.key for signature in package.signatures),
        answers=cards.read(project.root, package.model, MODEL),
        modelyard=modelyard.__version__,
    )


def data_answers(project: Project, dataset: str) -> cards.Answers:
    """What people answered about a dataset."""
    return cards.read(project.root, dataset, DATA)


def _parted(dataset: str) -> tuple[str, int]:
    name, _, number = dataset.partition("@")
    return name, int(number) if number.isdecimal() else 0


def _data(found: DatasetVersion | None, run: Run | None) -> DatasetVersion | None:
    """None where the number is another yard's."""
    return found if found and run and found.digest == run.dataset_digest else None
