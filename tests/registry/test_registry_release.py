"""Releases and the walk back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard import registry
from modelyard.errors import Misuse, NotAdmitted, UnknownName
from modelyard.ports import Facts, Yard
from modelyard.records.registry import Release, Trial
from modelyard.storage.database import open_yard
from modelyard.storage.events import verify
from modelyard.testing import samples
from modelyard.testing.yard import change, do

NOW = samples.NOON
LATER = NOW + dt.timedelta(minutes=1)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return with_versions(tmp_path)


def with_versions(folder: Path, count: int = 4) -> Yard:
    """``count`` versions, all admitted to test."""
    yard = open_yard("sqlite:///yard.db", folder)

    def register(facts: Facts) -> None:
        for n in range(1, count + 1):
            registry.register(
                facts,
                package=samples.package(f"r{n}"),
                dataset="patients@1",
                environments=("test",),
                by="ann",
                now=NOW,
            )

    do(yard, register, type(None))
    return yard


def begin(yard: Yard, version: int, *, restores: int | None = None) -> Release:
    return do(
        yard,
        lambda f: registry.begin(
            f, environment="test", model="screening", version=version, by="ann", now=NOW, restores=restores
        ),
        Release,
    )


def succeed(yard: Yard, release: Release) -> Release:
    return do(yard, lambda f: registry.succeed(f, release.id, LATER), Release)


def fail(yard: Yard, release: Release, reason: str = "a test failed") -> Release:
    return do(yard, lambda f: registry.fail(f, release.id, reason, LATER), Release)


def deploy(yard: Yard, version: int) -> Release:
    return succeed(yard, begin(yard, version))


def target(yard: Yard) -> Release | None:
    with yard.read() as facts:
        return registry.rollback_target(facts, "test", "screening")


def rollback(yard: Yard) -> int | None:
    """The version that is live afterwards; None when there is nothing to go back to."""
    found = target(yard)
    if found is None:
        return None
    return succeed(yard, begin(yard, found.version, restores=found.id)).version


def live(yard: Yard) -> Release | None:
    with yard.read() as facts:
        return facts.releases.live("test", "screening")


def statuses(yard: Yard) -> list[str]:
    with yard.read() as facts:
        return [r.status for r in reversed(facts.releases.list())]


def test_a_release_is_wanted_then_live(yard: Yard) -> None:
    wanted = begin(yard, 1)
    assert (wanted.status, wanted.package, wanted.started) == ("wanted", samples.package("r1").digest, NOW)
    assert live(yard) is None
    done = succeed(yard, wanted)
    assert (done.status, done.finished) == ("live", LATER)
    assert live(yard) == done
    assert succeed(yard, wanted) == done
    with yard.read() as facts:
        events = [e for e in facts.events.list() if e.action.startswith("release.")]
    assert [(e.action, e.object, e.payload["environment"]) for e in events] == [
        ("release.wanted", "screening@1", "test"),
        ("release.live", "screening@1", "test"),
    ]


def test_the_one_before_is_replaced(yard: Yard) -> None:
    deploy(yard, 1)
    deploy(yard, 2)
    assert statuses(yard) == ["replaced", "live"]


def test_a_release_needs_admission(yard: Yard) -> None:
    with pytest.raises(NotAdmitted, match=r"'modelyard promote screening@1 --to prod'"):
        change(
            yard,
            lambda f: registry.begin(f, environment="prod", model="screening", version=1, by="ann", now=NOW),
        )
    with pytest.raises(UnknownName, match="screening@9"):
        begin(yard, 9)


def test_a_failure_leaves_what_was_live(yard: Yard) -> None:
    before = deploy(yard, 1)
    pending = begin(yard, 2)
    failed = fail(yard, pending)
    assert (failed.status, failed.reason) == ("failed", "a test failed")
    assert fail(yard, pending, "another reason") == failed
    assert live(yard) == before
    with pytest.raises(Misuse, match="failed and cannot go live"):
        succeed(yard, pending)
    with pytest.raises(Misuse, match="cannot fail"):
        fail(yard, before)
    with pytest.raises(UnknownName, match="no release 99"):
        change(yard, lambda f: registry.succeed(f, 99, NOW))


def test_a_failure_is_recorded_whatever_its_words(yard: Yard) -> None:
    failed = fail(yard, begin(yard, 1), "it said \udcff and " + "more " * 1000)
    assert failed.reason.startswith("it said ? and more")
    assert len(failed.reason) == 2000


def test_one_release_is_wanted_at_most(yard: Yard) -> None:
    first, second = begin(yard, 1), begin(yard, 2)
    assert statuses(yard) == ["failed", "wanted"]
    with pytest.raises(Misuse):
        succeed(yard, first)
    succeed(yard, second)


def test_rollback_walks_back_and_never_returns_to_what_was_left(yard: Yard) -> None:
    for version in (1, 2, 3):
        deploy(yard, version)
    assert [rollback(yard) for _ in range(3)] == [2, 1, None]
    assert live(yard).version == 1  # type: ignore[union-attr]
    assert statuses(yard) == ["replaced", "replaced", "rolled_back", "rolled_back", "live"]


def test_a_deploy_after_a_rollback_can_be_undone_too(yard: Yard) -> None:
    for version in (1, 2):
        deploy(yard, version)
    assert rollback(yard) == 1
    deploy(yard, 3)
    assert [rollback(yard), rollback(yard)] == [1, None]


def test_a_deploy_of_an_older_version_is_undone_to_the_newer_one(yard: Yard) -> None:
    for version in (1, 2, 1):
        deploy(yard, version)
    assert [rollback(yard) for _ in range(3)] == [2, 1, None]


def test_the_same_version_again_and_failures_are_passed_over(yard: Yard) -> None:
    deploy(yard, 1)
    deploy(yard, 2)
    fail(yard, begin(yard, 3))
    deploy(yard, 2)
    fail(yard, begin(yard, 4))
    assert rollback(yard) == 1


def test_nothing_to_go_back_to(yard: Yard) -> None:
    assert target(yard) is None
    deploy(yard, 1)
    assert target(yard) is None


def test_a_failed_rollback_changes_nothing(yard: Yard) -> None:
    deploy(yard, 1)
    deploy(yard, 2)
    found = target(yard)
    assert found
    fail(yard, begin(yard, found.version, restores=found.id))
    assert live(yard).version == 2  # type: ignore[union-attr]
    assert target(yard) == found


def test_stop(yard: Yard) -> None:
    def stop(facts: Facts) -> Release | None:
        return registry.stop(facts, environment="test", model="screening", by="ann", now=LATER)

    kind: type[Release | None] = Release | None  # type: ignore[assignment]
    assert do(yard, stop, kind) is None
    deploy(yard, 1)
    deploy(yard, 2)
    stopped = do(yard, stop, kind)
    assert stopped
    assert (stopped.version, stopped.status) == (2, "stopped")
    assert live(yard) is None
    assert rollback(yard) == 1


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(st.sampled_from(["1", "2", "3", "4", "back", "fail"]), max_size=14))
def test_the_walk_is_that_of_a_stack(moves: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """A deploy pushes its version; a rollback pops to the nearest other one, which then stands for itself."""
    yard = with_versions(tmp_path_factory.mktemp("walk"))
    stack: list[int] = []
    for move in moves:
        if move == "fail":
            fail(yard, begin(yard, 4))
        elif move == "back":
            below = list(stack)
            while below and below[-1] == stack[-1]:
                below.pop()
            assert rollback(yard) == (below[-1] if below else None)
            stack = below or stack
        else:
            deploy(yard, int(move))
            stack.append(int(move))
        now = live(yard)
        assert (now.version if now else None) == (stack[-1] if stack else None)
    assert statuses(yard).count("live") == bool(stack)
    verify(yard)


def on_trial(yard: Yard) -> Release | None:
    with yard.read() as facts:
        return registry.on_trial(facts, "test", "screening")


def begin_trial(yard: Yard, version: int, arm: str = "canary") -> Release:
    trial = Trial(arm=arm, share=0.1)  # type: ignore[arg-type]
    return do(
        yard,
        lambda f: registry.begin(
            f, environment="test", model="screening", version=version, by="ann", now=NOW, trial=trial
        ),
        Release,
    )


def test_a_trial_leaves_what_is_live_and_ends_with_the_next_release(yard: Yard) -> None:
    deploy(yard, 1)
    tried = succeed(yard, begin_trial(yard, 2))
    assert (tried.status, on_trial(yard)) == ("canary", tried)
    assert succeed(yard, tried) == tried
    found = live(yard)
    assert found is not None
    assert found.version == 1
    shadow = succeed(yard, begin_trial(yard, 3, "shadow"))
    assert on_trial(yard) == shadow
    assert statuses(yard) == ["live", "ended", "shadow"]
    deploy(yard, 3)
    assert on_trial(yard) is None
    assert statuses(yard) == ["replaced", "ended", "ended", "live"]
    assert rollback(yard) == 1


def test_a_trial_that_fails_or_is_ended_changes_nothing_else(yard: Yard) -> None:
    first = deploy(yard, 1)
    deploy(yard, 2)
    fail(yard, begin_trial(yard, 3))
    assert on_trial(yard) is None
    succeed(yard, begin_trial(yard, 3))
    current = live(yard)
    assert current is not None
    succeed(yard, begin(yard, 2, restores=current.id))  # as a rollback ends a trial
    assert on_trial(yard) is None
    assert statuses(yard) == ["replaced", "replaced", "failed", "ended", "live"]
    found = target(yard)
    assert found is not None
    assert found.id == first.id


def test_a_trial_is_beside_another_version_that_is_live(yard: Yard) -> None:
    with pytest.raises(Misuse):
        begin_trial(yard, 2)
    deploy(yard, 2)
    with pytest.raises(Misuse):
        begin_trial(yard, 2)
    succeed(yard, begin_trial(yard, 3))
    do(
        yard,
        lambda f: registry.stop(f, environment="test", model="screening", by="ann", now=LATER),
        Release,
    )
    assert on_trial(yard) is None
    assert statuses(yard) == ["stopped", "ended"]
