"""A fault at every statement, commit, store call and service call of a verb: nothing is half done, and it is run again.

The points are counted as they come. A verb is tried with the first one failing, then the second, and so on, until none
fails; after each try the yard is whole. In the database a fault is what the driver raises, before the statement, and at a
commit once before and once after it took effect.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

from modelyard import registry
from modelyard.actions.evaluate import evaluate
from modelyard.actions.promote import promote
from modelyard.actions.register import register
from modelyard.actions.review import review
from modelyard.actions.rollback import rollback
from modelyard.actions.train import train
from modelyard.errors import DatabaseDown, Outage, ServiceDown, StoreDown
from modelyard.ports import Facts
from modelyard.project import Project, now, open_project
from modelyard.records.event import Event
from modelyard.records.registry import Release
from modelyard.records.service import ServicePlan, ServiceState
from modelyard.storage.artifacts import Artifacts
from modelyard.storage.copying import copy_facts
from modelyard.storage.database import SqlYard, open_yard
from modelyard.storage.doctor import examine
from modelyard.storage.events import verify
from modelyard.testing.yard import do

DATABASES = ("sqlite", "postgres")


@pytest.fixture(scope="module")
def tested(built_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with screening@1, and a second package that was tested and not registered; not to be changed."""
    folder = tmp_path_factory.mktemp("faults") / "screening"
    shutil.copytree(built_once, folder)
    with contextlib.closing(open_project(folder)) as project:
        train(project, "screening", params={"C": 3.0})
        evaluate(project, "screening@run")
    return folder


class Place:
    """A project whose yard, in a file or on a server, is set to how it was tested as often as need be."""

    def __init__(self, folder: Path, server: Callable[[], str] | None, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.server, self._patch = folder, server, patch
        self._kept = folder / ".modelyard" / "kept.db"

    def keep(self) -> None:
        """Come back to how it is now."""
        with self.project() as project:
            source = project.yard
        for left in self._kept.parent.glob("kept.db*"):
            left.unlink()
        kept = open_yard(f"sqlite:///{self._kept}", self.folder)
        assert isinstance(source, SqlYard)
        assert isinstance(kept, SqlYard)
        copy_facts(source, kept)
        with contextlib.closing(sqlite3.connect(self._kept)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.reset()

    def reset(self) -> None:
        shutil.rmtree(self.folder / ".modelyard" / "packages", ignore_errors=True)  # to be fetched anew
        yard = self.folder / ".modelyard" / "yard.db"
        for left in yard.parent.glob("yard.db*"):
            left.unlink()
        if self.server is None:
            for name in ("", ".checkpoint"):
                shutil.copy(f"{self._kept}{name}", f"{yard}{name}")
            return
        url = self.server()
        kept, there = open_yard(f"sqlite:///{self._kept}", self.folder), open_yard(url, self.folder)
        assert isinstance(kept, SqlYard)
        assert isinstance(there, SqlYard)
        copy_facts(kept, there)
        self._patch.setenv("MODELYARD_YARD__DATABASE", url)

    @contextlib.contextmanager
    def project(self, services: Services | None = None, actor: str = "ann") -> Iterator[Project]:
        with contextlib.closing(open_project(self.folder, actor=actor)) as project:
            project.__dict__["target"] = services or Services()
            yield project


@pytest.fixture(params=DATABASES)
def place(
    tested: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Place:
    folder = tmp_path / "screening"
    shutil.copytree(tested, folder)
    server = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    place = Place(folder, server, monkeypatch)
    place.keep()
    return place


class Services:
    """A target in memory: what it was told to answer for, it answers for."""

    def __init__(self) -> None:
        self.applied: dict[str, ServicePlan] = {}
        self.trip: Callable[[Exception], None] = lambda _: None

    def apply(self, plan: ServicePlan, *, timeout: float) -> ServiceState:  # noqa: ARG002
        self.trip(ServiceDown("The service did not answer; see its log."))
        self.applied[plan.environment] = plan
        state = self.state(plan.environment)
        assert state
        return state

    def state(self, environment: str) -> ServiceState | None:
        plan = self.applied.get(environment)
        models = tuple(model.model_id for model in plan.models) if plan else ()
        return ServiceState(pid=1, generation=plan.generation, workers=(1,), models=models) if plan else None


class Faults:
    """The ``at``-th point fails."""

    def __init__(self, at: int) -> None:
        self.at, self.seen, self.fired = at, 0, ""

    def trip(self, error: Exception) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.fired = str(error)
            raise error

    @contextlib.contextmanager
    def armed(self, services: Services) -> Iterator[None]:
        def statement(connection: sa.Connection, _: object, text: str, *__: object) -> None:
            self.trip(gone(connection.dialect.name, text))

        do_commit = DefaultDialect.do_commit

        def commit(dialect: DefaultDialect, connection: Any) -> None:
            self.trip(lost(dialect.name))
            do_commit(dialect, connection)
            self.trip(lost(dialect.name))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DefaultDialect, "do_commit", commit)
            for name in ("put", "put_file", "get", "fetch"):
                patch.setattr(Artifacts, name, self._stored(getattr(Artifacts, name)))
            services.trip = self.trip
            sa.event.listen(sa.Engine, "before_cursor_execute", statement)
            try:
                yield
            finally:
                sa.event.remove(sa.Engine, "before_cursor_execute", statement)
                services.trip = lambda _: None

    def _stored(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any) -> Any:
            self.trip(StoreDown("The artifact store failed: no space left; see to the disk and try again."))
            return method(*words)

        return call


def gone(dialect: str, text: str) -> sa.exc.OperationalError:
    return sa.exc.OperationalError(text, {}, lost(dialect))


def lost(dialect: str) -> Exception:
    if dialect == "sqlite":
        return sqlite3.OperationalError("disk I/O error")
    import psycopg

    return psycopg.OperationalError("server closed the connection unexpectedly")


def whole(place: Place, *, content: bool = True) -> Counter[str]:
    """Hold the yard against itself, with ``content`` every artifact too; how often each event happened."""
    with place.project() as project:
        yard, artifacts = project.yard, project.artifacts
        verify(yard)
        assert not content or examine(yard, artifacts) == []
        with yard.read() as facts:
            versions, releases = facts.versions.list(), facts.releases.list()
            events = Counter(event.action for event in facts.events.list())
            environments = project.settings.environments
            admitted = [a for name in environments for a in facts.admissions.list(name, "screening")]
    assert [version.number for version in versions] == list(range(1, len(versions) + 1))
    assert len({version.package for version in versions}) == len(versions)
    assert events["version.registered"] == len(versions)
    assert events["version.admitted"] == len(admitted)
    ended = Counter(release.status for release in releases)
    assert ended["live"] <= 1
    assert ended["wanted"] <= 1
    assert events["release.wanted"] == len(releases)
    assert events["release.failed"] == ended["failed"]
    assert events["release.live"] == len(releases) - ended["failed"] - ended["wanted"]
    return events


def at_every_point(
    place: Place, verb: Callable[[Project], object], done: Callable[[Counter[str]], None]
) -> list[str]:
    """Try the verb with each point failing in turn (on a server each fourth), and again without; what failed."""
    faults = []
    for at in range(1, 400, 4 if place.server else 1):
        fault, services = Faults(at), Services()
        with place.project(services) as project, fault.armed(services):
            try:
                verb(project)
            except Outage:
                assert fault.fired
                failed = True
            else:
                failed = False
        stored = "artifact" in fault.fired
        events = whole(place, content=stored or not fault.fired)
        if not fault.fired:
            done(events)
            break
        if failed:
            with place.project(services) as project:
                verb(project)
            events = whole(place, content=stored)
        done(events)
        faults.append(fault.fired)
        place.reset()
    else:
        pytest.fail("there was no end of points")
    return faults


def kinds(faults: list[str]) -> set[str]:
    words = {"I/O": "database", "closed": "database", "artifact store": "store", "did not answer": "service"}
    return {kind for fault in faults for word, kind in words.items() if word in fault}


@pytest.mark.timeout(300)
def test_register(place: Place) -> None:
    def done(events: Counter[str]) -> None:
        assert (events["version.registered"], events["version.admitted"]) == (2, 2)

    faults = at_every_point(place, lambda project: register(project, "screening"), done)
    assert kinds(faults) == {"database", "store"}
    assert len(faults) > (8 if place.server else 30)


@pytest.mark.timeout(300)
def test_promote(place: Place) -> None:
    def done(events: Counter[str]) -> None:
        assert (events["version.registered"], events["version.admitted"]) == (1, 2)

    faults = at_every_point(place, lambda project: promote(project, "screening@1", to="staging"), done)
    assert kinds(faults) == {"database", "store"}
    assert len(faults) > (8 if place.server else 30)


@pytest.mark.timeout(300)
def test_rollback(place: Place) -> None:
    with place.project() as project:
        register(project, "screening")
        for version in (1, 1, 2):
            do(project.yard, lambda facts, version=version: live(facts, version), Release)  # type: ignore[misc]
    place.keep()

    def done(_: Counter[str]) -> None:
        with place.project() as project, project.yard.read() as facts:
            release = facts.releases.live("test", "screening")
            assert release
            assert (release.version, release.restores) == (1, 2), "not one further than asked"

    faults = at_every_point(place, lambda project: rollback(project, "test", "screening"), done)
    assert kinds(faults) >= {"database", "store"}
    assert place.server or "service" in kinds(faults)
    assert len(faults) > (8 if place.server else 30)


def live(facts: Facts, version: int) -> Release:
    begun = registry.begin(facts, environment="test", model="screening", version=version, by="ann", now=now())
    return registry.succeed(facts, begun.id, now())


def test_two_people_promote_different_versions_at_once(place: Place) -> None:
    with place.project() as project:
        register(project, "screening")
    ready, failed = threading.Barrier(2), []

    def person(name: str, version: int) -> None:
        try:
            with place.project(actor=name) as project:
                ready.wait(60)
                promote(project, f"screening@{version}", to="staging")
                for subject in ("sme", "ethics"):
                    review(project, f"screening@{version}", subject=subject, yes=True, reason=name)
                promote(project, f"screening@{version}", to="prod")
        except BaseException as error:
            failed.append(error)
            raise

    people = [threading.Thread(target=person, args=one) for one in (("ann", 1), ("bob", 2))]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join(120)
    assert failed == []
    assert whole(place)["version.admitted"] == 6
    with place.project() as project, project.yard.read() as facts:
        for environment in ("staging", "prod"):
            found = {a.version: a.by for a in facts.admissions.list(environment, "screening")}
            assert found == {1: "ann", 2: "bob"}


def test_a_move_of_the_facts(place: Place, tmp_path: Path) -> None:
    """It is one transaction: a target that failed holds nothing, unless only the answer to its commit was lost."""
    with place.project() as project:
        source = project.yard
    assert isinstance(source, SqlYard)
    before, count = events_of(source), 0
    for at in range(1, 400):
        fault, folder = Faults(at), tmp_path / str(at)
        target = open_yard("sqlite:///moved.db", folder)
        assert isinstance(target, SqlYard)
        try:
            with fault.armed(Services()):
                copy_facts(source, target)
        except DatabaseDown:
            count += 1
            if events_of(target) == before:
                continue
            assert events_of(target) == []
            copy_facts(source, target)
        assert events_of(target) == before
        assert verify(target) == verify(source) == len(before)
        if not fault.fired:
            break
    assert count > 20
    whole(place)


def events_of(yard: SqlYard) -> list[Event]:
    with yard.read() as facts:
        return list(facts.events.list())
