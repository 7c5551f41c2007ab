"""``evaluate``: the report on a candidate or a version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from modelyard.actions.announced import announced
from modelyard.actions.attestations import attested
from modelyard.actions.criteria import rules, wanted
from modelyard.actions.learning import learning
from modelyard.actions.locate import located, opened
from modelyard.actions.signed import merged
from modelyard.actions.train import latest_data
from modelyard.actions.tune import trials_of
from modelyard.errors import UnknownName
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.footprint import FIGURES, Footprint
from modelyard.records.gate import Gate
from modelyard.records.package import Package
from modelyard.records.report import Report


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    report: Report
    digest: str
    """Of the stored report."""
    html: Path
    """Where a person reads it."""


def evaluate(project: Project, ref: str, *, operation: str | None = None) -> Evaluated:
    """Test the package that ``ref`` names on the test split of its dataset's latest version.

    The report is made and kept whatever it says; ``gates.refuse`` turns failed gates into a no.
    """
    project.require("developer")
    package = located(project, ref)
    data = latest_data(project, project.model(package.model).data)
    with announced(project, "evaluate", package.model, data=data, package=package.digest):
        return _evaluated(project, package, operation)


def _evaluated(project: Project, package: Package, operation: str | None) -> Evaluated:
    from modelyard.evaluation import publish

    report = _with_study(project, judge(project, package, whole=True), package)
    if project.model(package.model).evaluation.learning_curve:
        report = msgspec.structs.replace(report, learning=learning(project, package))
    folder = project.report_folder(package.model, package.digest)
    html = next(path for path in publish(report, folder) if path.suffix == ".html")
    digest = project.artifacts.put(msgspec.json.encode(report))
    done = attested(project, package, report, digest)

    def attach(facts: Facts) -> str:
        facts.packages.put(merged(facts.packages.get(done.digest), done))
        facts.events.append(
            "package.evaluated",
            f"{package.model}@run/{package.run}",
            package=package.digest,
            report=digest,
            data=report.dataset,
            passed="yes" if report.passed else "no",
        )
        return digest

    digest = project.yard.once(operation or fresh("evaluate"), project.actor, attach, str)
    return Evaluated(report=report, digest=digest, html=html)


def judge(
    project: Project, package: Package, *, whole: bool = False, bounds: tuple[Gate, ...] | None = None
) -> Report:
    """Score a package and the live ones its gates name on the test split; nothing is stored.

    Without ``whole`` the report holds what gates need and no more; ``bounds`` are other gates than the settings'.
    """
    from modelyard import evaluation
    from modelyard.data import load
    from modelyard.tables.gather import gather, target

    settings = project.model(package.model)
    version = latest_data(project, settings.data)
    place = f"testing {package.model} on {version.ref}"
    project.tell(place)
    tables = project.holding(version)
    frame = load(version, tables, part="test")
    train = load(version, tables, part="train") if whole else None
    bounds = rules(settings) if bounds is None else bounds
    champions = {rule.no_worse_than for rule in bounds} | {settings.evaluation.champion}
    with project.yard.read() as facts:
        found = {name: facts.releases.live(name, package.model) for name in champions if name}
    releases = {name: release for name, release in found.items() if release}
    predictor = opened(project, package.digest)
    labels, taken = predictor.manifest.classes, predictor.schema  # an imported one may take fewer columns
    asked = wanted(project, package.model, version.schema, frame, train, labels=labels, taken=taken)
    return evaluation.evaluate(
        predictor,
        gather(frame, taken),
        target(frame, version.schema, labels=labels),
        model=package.model,
        package=package.digest,
        dataset=version.ref,
        dataset_digest=version.digest,
        gates=bounds,
        live={name: opened(project, release.package, environment=name) for name, release in releases.items()},
        champions={name: f"{package.model}@{release.version}" for name, release in releases.items()},
        wanted=replace(asked, footprint=_footprint(project, package, whole=whole)),
        now=now(),
        at=lambda part: project.tell(f"{place}: {part}"),
    )


def _footprint(project: Project, package: Package, *, whole: bool) -> Footprint | None:
    """Measured where the report is to tell it or a gate asks; else None."""
    from modelyard.actions.own import libraries
    from modelyard.evaluation import footprint
    from modelyard.predictor.verify import MANIFEST, decode

    settings = project.model(package.model)
    gated = any(name in FIGURES for name in settings.gates)
    if not gated and not (whole and settings.evaluation.footprint):
        return None
    project.tell(f"measuring what {package.model} takes to answer")
    folder = project.package_folder(package.digest)
    path = folder / MANIFEST
    own = libraries(project, decode(path.read_bytes(), path))
    return footprint(folder, package.digest, trust=project.trust(), own=own)


def _with_study(project: Project, report: Report, package: Package) -> Report:
    with project.yard.read() as facts:
        run = facts.runs.get(package.run)
    if run is None or run.study is None:
        return report
    return msgspec.structs.replace(report, study=run.study, trials=trials_of(project, run))


def stored_report(project: Project, digest: str) -> Report:
    """A report that was made before. Raises ``UnknownName`` for what is not there, or is something else."""
    content = project.artifacts.get(digest)
    try:
        return msgspec.json.decode(content, type=Report)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UnknownName(f"{digest} is no report.") from None
