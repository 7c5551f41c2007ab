"""A package's application tests against a service, for ``check`` and ``deploy``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from modelyard.deployment import Golden, Outcome, application_tests
from modelyard.errors import CheckFailed
from modelyard.predictor import Manifest, verify
from modelyard.project import Project
from modelyard.records.package import Package
from modelyard.training import payloads


def try_out(project: Project, package: Package, url: str, *, token: str | None = None) -> tuple[Outcome, ...]:
    """Ask the service at ``url`` what the package's golden rows and its author's payloads ask."""
    folder = project.package_folder(package.digest)
    manifest: Manifest = verify(folder, package.digest)
    golden = msgspec.json.decode((folder / "golden.json").read_bytes(), type=Golden)
    return application_tests(url, manifest, golden=golden, payloads=payloads(folder / "code"), token=token)


def refuse(outcomes: Sequence[Outcome], subject: str) -> None:
    """Raise ``CheckFailed`` when one failed, naming the first and counting the rest."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise CheckFailed(
            f"{subject} failed the application test '{failed[0].name}': {failed[0].sentence}{more}; "
            "nothing was switched."
        )
