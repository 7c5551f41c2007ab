"""``register``: give a tested package its version."""

from __future__ import annotations

from modelyard import registry
from modelyard.actions.evaluate import stored_report
from modelyard.actions.package import package
from modelyard.errors import UnknownName
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.registry import Version


def register(project: Project, ref: str, *, operation: str | None = None) -> Version:
    """Register a tested package: of a bare ``NAME`` the newest run's. The same package again is the
    same version.

    The version is admitted to the first environment. Raises ``GateFailed`` for a package that was
    not tested or did not pass.
    """
    sealed = package(project, ref if "@" in ref else f"{ref}@run")
    environments = tuple(project.settings.environments)
    report = stored_report(project, sealed.report) if sealed.report else None
    metrics = {metric.name: metric.value for metric in report.metrics} if report else {}

    def add(facts: Facts) -> Version:
        run = facts.runs.get(sealed.run)
        if run is None:
            raise UnknownName(f"The run {sealed.run} of {sealed.model} is not in the yard; train it again.")
        return registry.register(
            facts,
            package=sealed,
            dataset=run.dataset,
            environments=environments,
            by=project.actor,
            now=now(),
            metrics=metrics,
        )

    return project.yard.once(operation or fresh("register"), project.actor, add, Version)
