"""A package's application tests against a service, for ``check`` and ``deploy``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from modelyard.actions.locate import materialised
from modelyard.deployment import Golden, Outcome, application_tests
from modelyard.errors import CheckFailed
from modelyard.predictor import Manifest, verify, vouched
from modelyard.project import Project
from modelyard.records.package import Package
from modelyard.records.trust import Trust
from modelyard.training import payloads


def try_out(
    project: Project, package: Package, url: str, *, trust: Trust, token: str | None = None
) -> tuple[Outcome, ...]:
    """Ask the service at ``url`` what the package's golden rows and its author's payloads ask.

    The payloads are code: ``Untrusted`` when nobody whom ``trust`` holds signed the package.
    """
    folder = materialised(project, package.digest)
    manifest: Manifest = verify(folder, package.digest)
    if (folder / "code" / "test_model.py").is_file():
        vouched(folder, digest=package.digest, trust=trust, needs="code/test_model.py")
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
