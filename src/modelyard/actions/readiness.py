"""``readiness``: whether a model is ready for production, from what is on record."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from modelyard.actions.evaluate import stored_report
from modelyard.actions.ingest import schema_path
from modelyard.actions.switch import address
from modelyard.actions.written import written
from modelyard.ports import Facts
from modelyard.project import Project, now
from modelyard.readiness import Known
from modelyard.readiness import readiness as tested
from modelyard.records.dataset import DatasetVersion
from modelyard.records.readiness import Readiness
from modelyard.records.registry import Version
from modelyard.records.run import Run
from modelyard.settings.readiness import ModelReadiness, read

_PIPELINES = (
    ".github/workflows/*.yml",
    ".github/workflows/*.yaml",
    ".gitlab-ci.yml",
    "bitbucket-pipelines.yml",
    "azure-pipelines.yml",
    "Jenkinsfile",
)
_BUILDS = re.compile(r"\bmodelyard\s+(?:-C\s+\S+\s+)?(?:build|ingest)\b")
_LARGEST = 1_000_000


def readiness(project: Project, ref: str) -> Readiness:
    """The 28 tests of the ML Test Score on the version that ``ref`` names, and its score.

    A bare ``NAME`` is the version live in the last environment that has one, else the latest. Nothing is trained,
    asked or changed.
    """
    from modelyard.predictor.verify import decode

    moment = now()
    documented = read(project.root, project.settings.models, moment.date())
    with project.yard.read() as facts:
        version = _version(project, facts, ref)
        name = version.model
        package = facts.packages.get(version.package)
        run = facts.runs.get(version.run)
        data = _data(facts, run)
        datasets = facts.datasets.list(data.dataset) if data else []
        versions, releases = facts.versions.list(name), facts.releases.list(model=name)
        reviews, events = facts.reviews.list(name, version.number), facts.events.list()
        step = facts.steps.latest(f"{name}/register")
    registered = stored_report(project, version.report)
    newest = package.report if package and package.report else version.report
    return tested(
        Known(
            now=moment,
            settings=project.settings,
            written=documented.get(name, ModelReadiness()),
            version=version,
            run=run,
            report=registered if newest == version.report else stored_report(project, newest),
            registered=registered,
            manifest=decode(project.artifacts.get(version.package), f"The manifest of {version.ref}"),
            data=data,
            datasets=datasets,
            versions=versions,
            releases=releases[::-1],
            reviews=reviews,
            events=events,
            built=step.result if step and not step.refusal else "",
            schema_file=os.path.relpath(schema_path(project, project.model(name).data), project.root),
            pipelines=_pipelines(project.root),
            mode=project.home.stat().st_mode,
            addresses={
                environment: address(project, environment) for environment in project.settings.environments
            },
        )
    )


def _version(project: Project, facts: Facts, ref: str) -> Version:
    from modelyard.registry import parse, resolve

    name, selector = parse(ref)
    project.model(name)
    environments = tuple(project.settings.environments)
    if selector is None:
        for environment in reversed(environments):
            if facts.releases.live(environment, name):
                return resolve(facts, f"{name}@{environment}", environments)
    return resolve(facts, ref, environments)


def _data(facts: Facts, run: Run | None) -> DatasetVersion | None:
    name, _, number = run.dataset.partition("@") if run else ("", "", "")
    found = facts.datasets.get(name, int(number)) if number.isdecimal() else None
    return found if found and run and found.digest == run.dataset_digest else None


def _pipelines(root: Path) -> tuple[str, ...]:
    """Files by which a forge runs a build."""
    found = []
    for pattern in _PIPELINES:
        for path in sorted(root.glob(pattern)):
            if path.is_file() and path.stat().st_size <= _LARGEST:
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
                if any(_BUILDS.search(line.partition("#")[0]) for line in lines):
                    found.append(path.relative_to(root).as_posix())
    return tuple(found)


def write(project: Project, found: Readiness, *, page: Path | None, text: Path | None) -> list[Path]:
    """Put it down as a page and as Markdown, where they are asked for; links lead from there into the project."""
    from modelyard.render import readiness as rendered

    def link(path: Path) -> Callable[[str], str]:
        return lambda file: quote(os.path.relpath(project.root / file, path.resolve().parent))

    asked = ((page, rendered.page), (text, rendered.text))
    return [written(path, make(found, link(path))) for path, make in asked if path is not None]
