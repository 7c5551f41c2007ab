"""The yard on SQLite: the kit, opening, and what goes wrong."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from modelyard import registry
from modelyard.errors import DatabaseDown, Misuse, SettingsError
from modelyard.ports import Facts, Yard
from modelyard.storage import upgrade
from modelyard.storage.database import SqlYard, open_yard
from modelyard.storage.events import verify
from modelyard.storage.schema import metadata
from modelyard.testing import samples
from modelyard.testing.yard import YardKit, change, do


class TestSqlite(YardKit):
    @pytest.fixture
    def yard(self, tmp_path: Path) -> Yard:
        return open_yard("sqlite:///yard.db", tmp_path)


def run(code: str, *words: object, wait: bool = True) -> subprocess.Popen[str]:
    """The code in a process of its own, with words as ``sys.argv[1:]``."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if wait:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors + output
    return process


def path_of(yard: Yard) -> Path:
    assert isinstance(yard, SqlYard)
    return yard.database.path


def nothing(facts: Facts) -> None:
    facts.steps.get("none")


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return open_yard("sqlite:///yard.db", tmp_path, wait=0.5)


# Opening


def test_a_relative_file_starts_at_the_root_and_its_folder_is_made(tmp_path: Path) -> None:
    open_yard("sqlite:///a/b/yard.db", tmp_path)
    open_yard(f"sqlite:///{tmp_path}/c d/yard?.db".replace("?", "%3F"), Path("/nowhere"))
    assert (tmp_path / "a" / "b" / "yard.db").is_file()
    assert (tmp_path / "c d").is_dir()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://host/yard",
        "mysql://host/x",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite+aiosqlite:///x.db",
        "sqlite:///x.db?mode=ro",
        "yard.db",
        "",
    ],
)
def test_other_urls_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"yard\.database"):
        open_yard(url, tmp_path)
    assert list(tmp_path.iterdir()) == []


def tables_of(connection: sa.Connection) -> dict[str, Any]:
    """Every table as the database itself tells it."""
    there = sa.inspect(connection)
    return {
        name: {
            "columns": {
                c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in there.get_columns(name)
            },
            "key": there.get_pk_constraint(name),
            "foreign": sorted(there.get_foreign_keys(name), key=repr),
            "unique": sorted(there.get_unique_constraints(name), key=repr),
            "checks": sorted(there.get_check_constraints(name), key=repr),
            "indexes": {
                i["name"]: (i["column_names"], i["unique"], *map(str, i.get("dialect_options", {}).values()))
                for i in there.get_indexes(name)
            },
        }
        for name in there.get_table_names()
        if name != "alembic_version"
    }


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_the_migrations_make_the_tables_of_the_schema(
    server: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("migrated", "declared")]
    if server == "postgresql":
        new = request.getfixturevalue("postgres_url")
        urls = [new(), new()]
    yard = open_yard(urls[0], tmp_path)
    assert isinstance(yard, SqlYard)
    engine = sa.create_engine(urls[1])
    with yard.database.begin(write=False) as connection, engine.begin() as other:
        metadata.create_all(other)
        made, declared = tables_of(connection), tables_of(other)
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    engine.dispose()
    assert sum(bool(table["indexes"]) for table in declared.values()) > 5
    assert made == declared
    assert revision == upgrade.HEAD


def yard_of(revision: str, path: Path) -> None:
    """As an older Modelyard made it."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine

    config = Config()
    config.set_main_option("script_location", "modelyard.storage:migrations")
    config.set_main_option("path_separator", "os")
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def test_steps_of_an_older_yard_are_kept_as_far_as_they_go(tmp_path: Path) -> None:
    yard_of("0001", tmp_path / "yard.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "yard.db")) as old:
        old.execute("INSERT INTO steps VALUES ('abc', 'screening/train', 'r1')")
        old.commit()
    yard = open_yard("sqlite:///yard.db", tmp_path)
    with yard.read() as facts:
        record = facts.steps.get("abc")
        assert record is not None
        assert (record.step, record.result, record.inputs) == ("screening/train", "r1", ())
        assert facts.steps.latest("screening/train") == record


def test_versions_of_an_older_yard_are_found_by_what_is_known_of_them(tmp_path: Path) -> None:
    yard_of("0002", tmp_path / "yard.db")
    record = (
        '{"model":"screening","number":1,"package":"p","run":"r1","report":"r","dataset":"patients@1",'
        '"registered":"2026-01-02T12:00:00.5Z","by":"ann"}'
    )
    with contextlib.closing(sqlite3.connect(tmp_path / "yard.db")) as old:
        old.execute("INSERT INTO names VALUES ('screening', 'model')")
        old.execute("INSERT INTO packages VALUES ('p', 'screening', 0, '{}')")
        old.execute("INSERT INTO versions VALUES ('screening', 1, 'p', ?)", [record])
        old.commit()
    yard = open_yard("sqlite:///yard.db", tmp_path)
    with yard.read() as facts:
        for where, count in (
            ("by = 'ann' and dataset = 'patients@1' and run = 'r1'", 1),
            ("registered > '2026-01-02T12:00:00'", 1),
            ("registered > '2026-01-02T12:00:01'", 0),
            ("deprecated or note is not null", 0),
        ):
            assert len(registry.search(facts, where, environments=())) == count, where
        assert facts.versions.list()[0].metrics == {}


def test_the_revisions_kept_by_hand_are_those_of_the_migrations() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "modelyard.storage:migrations")
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    assert tuple(r.revision for r in script.walk_revisions())[::-1] == upgrade.REVISIONS


def test_opening_what_is_up_to_date_imports_no_migrations(yard: Yard) -> None:
    run(
        """
        import sys
        from pathlib import Path
        from modelyard.storage.database import open_yard
        with open_yard("sqlite:///" + sys.argv[1], Path("/")).read() as facts:
            facts.versions.latest("screening")
        sys.exit(" ".join({"alembic", "obstore", "polars", "mako"} & set(sys.modules)) or 0)
        """,
        path_of(yard),
    )


def test_two_processes_make_a_yard_at_once(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from modelyard.storage.database import open_yard
        print("ready", flush=True)
        sys.stdin.readline()
        yard = open_yard("sqlite:///yard.db", Path(sys.argv[1]))
        print(yard.once(sys.argv[2], "ann", lambda f: f.versions.next_number("screening"), int))
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(3)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    numbers = []
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        numbers.append(int(output))
    assert sorted(numbers) == [1, 2, 3]


def test_a_yard_of_a_newer_modelyard_is_refused(yard: Yard, tmp_path: Path) -> None:
    with sqlite3.connect(path_of(yard)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(Misuse, match=r"newer Modelyard.*9999"):
        open_yard("sqlite:///yard.db", tmp_path)
    with pytest.raises(Misuse, match=r"newer Modelyard.*9999"):
        do(yard, nothing, type(None))


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE accounts (id)")
    connection.close()
    with pytest.raises(Misuse, match="accounts"):
        open_yard("sqlite:///other.db", tmp_path)
    with sqlite3.connect(tmp_path / "other.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("accounts",)]
    connection.close()


# Going wrong


@pytest.mark.parametrize(
    "content", [b"not a database at all, but text" * 200, b"SQLite format 3\x00" + b"\xff" * 5000]
)
def test_what_is_no_database_is_said(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "yard.db").write_bytes(content)
    with pytest.raises(DatabaseDown, match=r"yard\.db"):
        open_yard("sqlite:///yard.db", tmp_path)
    assert (tmp_path / "yard.db").read_bytes() == content


def test_a_damaged_database_is_said(yard: Yard, tmp_path: Path) -> None:
    for n in range(300):
        change(yard, lambda f, n=n: f.steps.put(samples.step(f"{n}" * 50, step="s" * 200, result="r" * 200)))
    with sqlite3.connect(path_of(yard)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = path_of(yard).read_bytes()
    (tmp_path / "bad.db").write_bytes(content[:8192] + b"\xaa" * (len(content) - 8192))

    def look() -> None:
        with open_yard("sqlite:///bad.db", tmp_path).read() as facts:
            for n in range(300):
                facts.steps.get(f"{n}" * 50)

    with pytest.raises(DatabaseDown, match=r"bad\.db is damaged"):
        look()


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(DatabaseDown, match="home"):
        open_yard("sqlite:///home/yard.db", tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(DatabaseDown, match="folder"):
        open_yard("sqlite:///folder", tmp_path)


@pytest.mark.parametrize("begin", ["file lock", "BEGIN IMMEDIATE"])
def test_a_lock_held_elsewhere_is_said_within_the_bound(yard: Yard, begin: str) -> None:
    holder = run(
        """
        import fcntl, sqlite3, sys
        if sys.argv[2] == "file lock":
            file = open(sys.argv[1] + ".lock", "ab")
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            connection = sqlite3.connect(sys.argv[1], isolation_level=None)
            connection.execute("BEGIN IMMEDIATE")
        print("held", flush=True)
        sys.stdin.read()
        """,
        path_of(yard),
        begin,
        wait=False,
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        calls: list[Facts] = []
        began = time.monotonic()
        with pytest.raises(DatabaseDown, match=r"locked by another .*(end it|wait for it)"):
            do(yard, calls.append, type(None))
        assert time.monotonic() - began < 10
        assert calls == []
        with yard.read() as facts:
            assert facts.steps.get("x") is None
    finally:
        holder.kill()
        holder.communicate()
    assert do(yard, lambda f: f.versions.next_number("screening"), int) == 1


def test_once_within_once_is_refused(yard: Yard) -> None:
    with pytest.raises(Misuse, match="within another"):
        do(yard, lambda _: do(yard, lambda f: f.versions.next_number("m"), int), int)
    assert do(yard, lambda f: f.versions.next_number("m"), int) == 1


def test_a_repeat_with_another_kind_of_result_is_said(yard: Yard) -> None:
    yard.once("op", "ann", lambda _: "text", str)
    with pytest.raises(Misuse, match="op was done before"):
        yard.once("op", "ann", lambda _: 1, int)


_FULL = """
    import resource, signal, sys
    from pathlib import Path
    from modelyard.errors import DatabaseDown
    from modelyard.storage.database import open_yard
    from modelyard.testing import samples
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yard = open_yard("sqlite:///" + sys.argv[1], Path("/"))
    yard.once("before", "ann", lambda f: f.steps.put(samples.step("before")), type(None))
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        yard.once("big", "ann", lambda f: f.steps.put(samples.step("big", result="r" * 2_000_000)), type(None))
    except DatabaseDown as error:
        assert sys.argv[1] in str(error) and "disk" in str(error), error
    else:
        sys.exit("no error")
    with yard.read() as facts:
        assert facts.steps.get("before") == samples.step("before")
        assert facts.steps.get("big") is None
"""


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    run(_FULL, tmp_path / "yard.db")
    yard = open_yard("sqlite:///yard.db", tmp_path)
    yard.once("big", "ann", lambda f: f.steps.put(samples.step("big", result="r" * 2_000_000)), type(None))
    with yard.read() as facts:
        assert facts.steps.get("big") == samples.step("big", result="r" * 2_000_000)


_KILLED = """
    import os, signal, sys
    from pathlib import Path
    from modelyard.storage.database import open_yard
    from modelyard.testing import samples
    yard = open_yard("sqlite:///" + sys.argv[1], Path("/"))
    def work(facts):
        number = facts.versions.next_number("screening")
        facts.steps.put(samples.step(result="r" * 3_000_000))
        facts.events.append("x.y", "z")
        facts.events.list()
        os.kill(os.getpid(), signal.SIGKILL)
    yard.once("the operation", "ann", work, int)
"""


def test_kill_in_the_middle_leaves_nothing_and_a_repeat_completes(yard: Yard) -> None:
    process = run(_KILLED, path_of(yard), wait=False)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    with yard.read() as facts:
        assert facts.steps.get("identity") is None
        assert facts.events.list() == []

    def work(facts: Facts) -> int:
        facts.events.append("x.y", "z")
        return facts.versions.next_number("screening")

    assert yard.once("the operation", "ann", work, int) == 1
    assert yard.once("the operation", "ann", work, int) == 1
    assert verify(yard) == 1


_KILLED_AT_RANDOM = """
    import os, random, signal, sys, time
    from pathlib import Path
    from modelyard.storage.database import open_yard
    from modelyard.testing import samples
    yard = open_yard("sqlite:///" + sys.argv[1], Path("/"))
    def work(facts):
        number = facts.versions.next_number("screening")
        facts.steps.put(samples.step(f"step {number}", result="r" * 2000))
        facts.events.append("number.taken", "screening", number=number)
        return number
    chance = random.Random(1)
    for attempt in range(30):
        heard, tells = os.pipe()
        child = os.fork()
        if not child:
            n = 0
            while True:
                # After a kill the same operations are asked for again.
                assert yard.once(f"take/{n}", "ann", work, int) == n + 1
                n += 1
                os.write(tells, b".")
        os.read(heard, 1)
        time.sleep(chance.uniform(0, 0.06))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
"""


def test_kills_at_random_moments_leave_whole_operations(yard: Yard) -> None:
    run(_KILLED_AT_RANDOM, path_of(yard))
    done = do(yard, lambda f: f.versions.next_number("screening"), int) - 1
    assert done > 0
    assert verify(yard) == done
    with yard.read() as facts:
        assert [e.payload["number"] for e in facts.events.list()] == list(range(1, done + 1))
        assert all(facts.steps.get(f"step {n}") for n in range(1, done + 1))
        assert facts.steps.get(f"step {done + 1}") is None


def test_a_closed_yard_is_one_file(tmp_path: Path) -> None:
    run(
        """
        import sys
        from pathlib import Path
        from modelyard.storage.database import open_yard
        yard = open_yard("sqlite:///yard.db", Path(sys.argv[1]))
        yard.once("1", "ann", lambda f: f.versions.next_number("screening"), int)
        """,
        tmp_path,
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["yard.db", "yard.db.checkpoint", "yard.db.lock"]


def test_a_forked_child_opens_connections_of_its_own(yard: Yard) -> None:
    code = """
        import os, sys
        from pathlib import Path
        from modelyard.storage.database import open_yard
        yard = open_yard("sqlite:///" + sys.argv[1], Path("/"))
        take = lambda f: f.versions.next_number("screening")
        yard.once("0", "ann", take, int)
        children = []
        for n in range(1, 5):
            child = os.fork()
            if not child:
                yard.once(str(n), "ann", take, int)
                os._exit(0)
            children.append(child)
        assert all(os.waitpid(child, 0)[1] == 0 for child in children)
        assert yard.once("last", "ann", take, int) == 6
    """
    run(code, path_of(yard))


def test_a_record_that_cannot_be_read_is_said(yard: Yard) -> None:
    change(yard, lambda f: f.runs.put(samples.run()))
    with sqlite3.connect(path_of(yard)) as connection:
        connection.execute("UPDATE runs SET record = '{}'")
    connection.close()
    with yard.read() as facts, pytest.raises(DatabaseDown, match="Run"):
        facts.runs.get("r1")


def test_a_number_that_no_column_holds_is_not_there(yard: Yard) -> None:
    with yard.read() as facts:
        assert facts.datasets.get("patients", 10**30) is None


def test_an_error_of_the_work_is_the_works_own(yard: Yard) -> None:
    for error in (TimeoutError("mine"), OSError(2, "mine", str(path_of(yard)) + ".lock"), KeyError("mine")):

        def work(_: Facts, error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error), match="mine"):
            change(yard, work)


_NOBODY = """
    import os, sys
    from pathlib import Path
    from modelyard.errors import DatabaseDown, StoreDown
    from modelyard.storage.artifacts import open_artifacts
    from modelyard.storage.database import open_yard
    from modelyard.testing import samples

    folder = Path(sys.argv[1])
    put = lambda f: f.steps.put(samples.step("a"))
    open_yard("sqlite:///yard.db", folder).once("1", "ann", put, type(None))
    open_artifacts("artifacts", folder).put(b"x")
    (folder / "artifacts" / "zz").mkdir()
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.getuid() == 0:
        os.setuid(65534)
    try:
        open_yard("sqlite:///yard.db", folder).once("2", "ann", put, type(None))
    except DatabaseDown as error:
        assert str(folder) in str(error), error
    else:
        sys.exit("the yard was written")
    try:
        open_artifacts("artifacts", folder).put(b"y")
    except StoreDown as error:
        assert str(folder) in str(error) and "ermission" in str(error), error
    else:
        sys.exit("an artifact was written")
"""


def test_no_permission_is_said() -> None:
    folder = Path(tempfile.mkdtemp(prefix="modelyard-test-"))
    folder.chmod(0o755)
    try:
        run(_NOBODY, folder)
    finally:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        shutil.rmtree(folder)
