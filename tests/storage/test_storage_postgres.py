"""The yard on a PostgreSQL server: the kit, and what goes wrong with servers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from modelyard import jobs
from modelyard.errors import AuditBroken, DatabaseDown, Misuse
from modelyard.ports import Facts, Yard
from modelyard.records.job import Asked
from modelyard.records.run import Process
from modelyard.storage.database import open_yard
from modelyard.storage.events import verify
from modelyard.testing.samples import NOON
from modelyard.testing.yard import YardKit, change


class TestPostgres(YardKit):
    @pytest.fixture
    def yard(self, tmp_path: Path, postgres_url: Callable[[], str]) -> Yard:
        return open_yard(postgres_url(), tmp_path)


def event(yard: Yard, name: str) -> None:
    change(yard, lambda facts: facts.events.append("tested", name))


def test_machines_share_one_chain(tmp_path: Path, postgres_url: Callable[[], str]) -> None:
    url = postgres_url()
    yards = [open_yard(url, tmp_path / f"machine{n}") for n in range(4)]

    def many(at: int) -> None:
        for n in range(10):
            event(yards[at], f"{at}/{n}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(many, range(4)))
    assert [verify(yard) for yard in yards] == [40] * 4
    late = open_yard(url, tmp_path / "late")
    event(late, "late")
    assert verify(late) == 41


def test_what_one_machine_saw_shows_that_the_chain_was_cut(
    tmp_path: Path, postgres: Any, postgres_url: Callable[[], str]
) -> None:
    url = postgres_url()
    yard = open_yard(url, tmp_path)
    for n in range(3):
        event(yard, str(n))
    schema = url.rpartition("%3D")[2]
    postgres.do(f"delete from {schema}.events where seq = 3")
    with pytest.raises(AuditBroken, match="record 3 is missing"):
        verify(yard)


def test_a_machine_that_comes_later_does_not_vouch_for_what_it_never_saw(
    tmp_path: Path, postgres: Any, postgres_url: Callable[[], str]
) -> None:
    url = postgres_url()
    event(open_yard(url, tmp_path / "first"), "first")
    later = open_yard(url, tmp_path / "later")
    schema = url.rpartition("%3D")[2]
    postgres.do(f"update {schema}.events set object = 'another' where seq = 1")
    event(later, "second")
    with pytest.raises(AuditBroken, match="record 1"):
        verify(later)


@pytest.mark.parametrize(
    ("change_", "says"),
    [
        (lambda url: url.replace("modeller:", "nobody:"), "password authentication failed"),
        (lambda url: re.sub(r":\d+/", ":1/", url), "refused"),
        (lambda url: url.replace("/postgres?", "/absent?"), "absent"),
        (lambda url: url.replace("search_path%3Dyard", "search_path%3Dabsent"), "schema"),
    ],
)
def test_what_cannot_be_reached_is_said_without_the_password(
    tmp_path: Path, postgres_url: Callable[[], str], change_: Callable[[str], str], says: str
) -> None:
    with pytest.raises(DatabaseDown, match=says) as caught:
        open_yard(change_(postgres_url()), tmp_path, wait=2)
    assert not re.search("p@ss|p%40ss", str(caught.value))


def test_a_writer_that_holds_on_is_waited_for_and_named(
    tmp_path: Path, postgres_url: Callable[[], str]
) -> None:
    url = postgres_url()
    one, other = (open_yard(url, tmp_path / name, wait=0.5) for name in ("one", "other"))

    def slow(_: Facts) -> None:
        with pytest.raises(DatabaseDown, match="still locked by another writer"):
            event(other, "never")

    change(one, slow)
    event(other, "at last")
    assert verify(one) == 1


def test_a_killed_writer_has_changed_nothing_and_frees_the_lock(
    tmp_path: Path, postgres_url: Callable[[], str]
) -> None:
    url = postgres_url()
    yard = open_yard(url, tmp_path)
    code = """
import os, signal, sys
from pathlib import Path
from modelyard.storage.database import open_yard
def work(facts):
    facts.events.append("half", "done")
    facts.versions.next_number("screening")
    facts.events.list()
    os.kill(os.getpid(), signal.SIGKILL)
open_yard(sys.argv[1], Path(sys.argv[2])).once("killed", "ann", work, type(None))
"""
    done = subprocess.run([sys.executable, "-c", code, url, str(tmp_path / "other")], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    event(yard, "after")
    with yard.read() as facts:
        assert [one.object for one in facts.events.list()] == ["after"]


def test_a_server_that_goes_away_is_a_sentence_and_its_return_is_noticed(
    tmp_path: Path, postgres: Any, postgres_url: Callable[[], str]
) -> None:
    yard = open_yard(postgres_url(), tmp_path, wait=2)
    event(yard, "before")

    def work(facts: Facts) -> None:
        facts.events.append("tested", "during")
        postgres.stop(signal.SIGQUIT)

    try:
        with pytest.raises(DatabaseDown, match="cannot be reached or went away"):
            change(yard, work)
        with pytest.raises(DatabaseDown, match="cannot be reached or went away"):
            event(yard, "meanwhile")
    finally:
        postgres.start()
    event(yard, "after")
    with yard.read() as facts:
        assert [one.object for one in facts.events.list()] == ["before", "after"]
    assert verify(yard) == 2


def test_another_programs_tables_and_a_newer_yard_are_refused(
    tmp_path: Path, postgres: Any, postgres_url: Callable[[], str]
) -> None:
    url = postgres_url()
    schema = url.rpartition("%3D")[2]
    postgres.do(f"create table {schema}.invoices (id int); grant all on {schema}.invoices to modeller")
    with pytest.raises(Misuse, match="another program's tables \\(invoices\\)"):
        open_yard(url, tmp_path)
    postgres.do(f"drop table {schema}.invoices")
    open_yard(url, tmp_path)
    postgres.do(f"update {schema}.alembic_version set version_num = '9999'")
    with pytest.raises(Misuse, match="newer Modelyard"):
        open_yard(url, tmp_path)


def test_the_lifecycle_runs_on_a_server(
    tmp_path: Path, built_once: Path, postgres_url: Callable[[], str]
) -> None:
    folder = tmp_path / "screening"
    shutil.copytree(built_once, folder, ignore=shutil.ignore_patterns(".modelyard"))
    words = [sys.executable, "-m", "modelyard", "-C", str(folder)]
    environ = {**os.environ, "MODELYARD_YARD__DATABASE": postgres_url()}

    def run(*more: str) -> str:
        done = subprocess.run([*words, *more], capture_output=True, text=True, env=environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("build")
    assert run("build").count("unchanged") == 5
    assert "screening@1" in run("versions")
    assert "every link holds" in run("audit", "verify")
    assert "Nothing is wrong" in run("doctor")
    assert not list(folder.rglob("*.db"))


def test_workers_on_many_machines_share_jobs_without_a_double(
    tmp_path: Path, postgres_url: Callable[[], str]
) -> None:
    url = postgres_url()
    yards = [open_yard(url, tmp_path / f"machine{n}") for n in range(4)]
    asked = [Asked(kind="build", models=(f"m{n}",)) for n in range(20)]
    change(yards[0], *(lambda f, a=a: jobs.ask(f, a, by="ann", now=NOON) for a in asked))
    taken: list[int] = []

    def work(at: int) -> None:
        executor, mark = f"machine{at}", yards[at].mark
        words: dict[str, Any] = {
            "executor": executor,
            "process": Process(host=executor, pid=1, born=1),
            "gone": lambda _: False,
            "limits": {},
            "now": NOON,
        }
        while job := mark("ann", lambda f: jobs.take(f, **words)):
            taken.append(job.id)
            mark("ann", partial(jobs.end, job_id=job.id, executor=executor, outcome="done", now=NOON))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sorted(taken) == list(range(1, 21))
