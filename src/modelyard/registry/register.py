"""A tested package gets its version."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence

from modelyard.errors import GateFailed, Misuse
from modelyard.ports import Facts
from modelyard.records.package import Package
from modelyard.records.registry import Version
from modelyard.registry.admit import admit


def register(
    facts: Facts,
    *,
    package: Package,
    dataset: str,
    environments: Sequence[str],
    by: str,
    now: dt.datetime,
    metrics: Mapping[str, float] | None = None,
) -> Version:
    """Register the package and admit it to the first of ``environments``.

    The same digest again is the same version. ``dataset`` is the reference of the dataset version
    that it was trained on, ``metrics`` what its report measured. Raises ``GateFailed`` for a package without a report and ``Misuse``
    without an environment.
    """
    if not environments:
        raise Misuse(
            "There is no environment to admit a version to; put [environments.test] in modelyard.toml."
        )
    version = facts.versions.by_package(package.model, package.digest)
    if version is None:
        version = _new(facts, package, dataset, by, now, metrics or {})
    admit(facts, version, environments[0], by=by, now=now)
    return version


def _new(
    facts: Facts, package: Package, dataset: str, by: str, now: dt.datetime, metrics: Mapping[str, float]
) -> Version:
    if package.report is None:
        raise GateFailed(
            f"The package {package.digest[:12]} of {package.model} was not tested; "
            f"run 'modelyard evaluate {package.model}@run' first."
        )
    if facts.packages.get(package.digest) is None:
        facts.packages.put(package)
    version = Version(
        model=package.model,
        number=facts.versions.next_number(package.model),
        package=package.digest,
        run=package.run,
        report=package.report,
        dataset=dataset,
        registered=now,
        by=by,
        metrics={name: value for name, value in metrics.items() if math.isfinite(value)},
    )
    facts.versions.add(version)
    facts.events.append(
        "version.registered",
        version.ref,
        package=version.package,
        report=version.report,
        run=version.run,
        dataset=dataset,
    )
    return version
