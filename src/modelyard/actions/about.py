"""What is on record about a package: a noun that faces show."""

from __future__ import annotations

import msgspec

from modelyard.actions.evaluate import stored_report
from modelyard.project import Project
from modelyard.records.package import Package
from modelyard.records.registry import Deprecation, Version
from modelyard.records.report import Report
from modelyard.records.run import Run


class About(msgspec.Struct, frozen=True, kw_only=True):
    package: Package
    version: Version | None = None
    """None for a package that was not registered."""
    live: tuple[str, ...] = ()
    """Environments that answer with it."""
    run: Run | None = None
    report: Report | None = None
    deprecated: Deprecation | None = None
    """Why it is to be used no more."""

    @property
    def ref(self) -> str:
        """``screening@7``, or for what was not registered the name with the beginning of the digest."""
        return self.version.ref if self.version else f"{self.package.model}@{self.package.digest[:12]}"


def about(project: Project, package: Package) -> About:
    """The package with its version, its run, its report and where it is live."""
    with project.yard.read() as facts:
        releases = [facts.releases.live(name, package.model) for name in project.settings.environments]
        version = facts.versions.by_package(package.model, package.digest)
        said = facts.labels.get(version.model, version.number) if version else None
        return About(
            package=package,
            version=version,
            deprecated=said.deprecated if said else None,
            live=tuple(r.environment for r in releases if r and r.package == package.digest),
            run=facts.runs.get(package.run),
            report=stored_report(project, package.report) if package.report else None,
        )
