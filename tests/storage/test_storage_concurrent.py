"""Eight processes register, promote, deploy and roll back in one yard at once, in a file and on a server."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from modelyard.storage.artifacts import open_artifacts
from modelyard.storage.database import open_yard
from modelyard.storage.doctor import examine
from modelyard.storage.events import verify

# One interpreter imports, then forks: eight imports would take longer than the work.
_WORK = """
    import os, random, sys
    from pathlib import Path
    from modelyard import registry
    from modelyard.errors import Misuse
    from modelyard.records.package import Package
    from modelyard.records.registry import Admission, Release, Version
    from modelyard.settings import EnvironmentSettings
    from modelyard.storage.database import open_yard
    from modelyard.testing import samples

    ENVIRONMENTS = {"test": EnvironmentSettings(port=1), "prod": EnvironmentSettings(port=2)}
    NOW = samples.NOON
    yard = open_yard(sys.argv[2], Path(sys.argv[1]))

    def register(facts, n):
        return registry.register(facts, package=samples.package(f"r{n}"), dataset="patients@1",
                                 environments=tuple(ENVIRONMENTS), by="ann", now=NOW)

    def promote(facts, version):
        return registry.promote(facts, model="screening", version=version, to="prod",
                                environments=ENVIRONMENTS, by="ann", now=NOW)

    def deploy(facts, version, restores=None):
        release = registry.begin(facts, environment="prod", model="screening", version=version,
                                 by="ann", now=NOW, restores=restores)
        return registry.succeed(facts, release.id, NOW)

    def rollback(facts):
        target = registry.rollback_target(facts, "prod", "screening")
        return deploy(facts, target.version, target.id) if target else None

    def work(worker):
        chance = random.Random(worker)
        done = 0
        for n in range(9):
            # Two workers share each package, and each operation is asked for twice.
            version = once(f"register/{worker}/{n}", lambda f: register(f, worker // 2 * 9 + n), Version)
            once(f"promote/{worker}/{n}", lambda f: promote(f, version.number), Admission)
            if chance.random() < 0.6:
                once(f"deploy/{worker}/{n}", lambda f: deploy(f, version.number), Release)
            else:
                once(f"rollback/{worker}/{n}", rollback, Release | None)
            done += 3
        return done

    def once(operation, work, kind):
        first = yard.once(operation, "ann", work, kind)
        assert yard.once(operation, "ann", work, kind) == first
        return first

    children = []
    for worker in range(8):
        child = os.fork()
        if not child:
            os._exit(0 if work(worker) == 27 else 1)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(any(codes))
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_two_hundred_operations_from_eight_processes(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    url = "sqlite:///yard.db" if database == "sqlite" else request.getfixturevalue("postgres_url")()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_WORK), str(tmp_path), url], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    yard = open_yard(url, tmp_path)
    with yard.read() as facts:
        versions = facts.versions.list("screening")
        releases = list(reversed(facts.releases.list()))
        events = facts.events.list()
        admitted = facts.admissions.list("prod", "screening")
    assert [v.number for v in versions] == list(range(1, 37))
    assert len({v.package for v in versions}) == 36
    assert [a.version for a in admitted] == list(range(1, 37))
    assert [r.id for r in releases] == list(range(1, len(releases) + 1))
    assert Counter(r.status for r in releases)["live"] == 1
    assert {r.status for r in releases[:-1]} <= {"replaced", "rolled_back"}
    counts = Counter(e.action for e in events)
    assert counts["version.registered"] == 36
    assert counts["version.admitted"] == 72
    assert counts["release.wanted"] == counts["release.live"] == len(releases)
    assert verify(yard) == len(events)
    problems = examine(yard, open_artifacts("artifacts", tmp_path))
    assert all(p.where.startswith("artifact ") for p in problems)
