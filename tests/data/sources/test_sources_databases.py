"""Real database servers: PostgreSQL and MariaDB, started here and ended by their process."""

from __future__ import annotations

import datetime as dt
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from modelyard.cli.run import run
from modelyard.data import extract, fingerprint
from modelyard.data.sources.since import Since
from modelyard.data.staging import stage
from modelyard.errors import DataRefused, ExtraMissing, SettingsError, SourceDown
from modelyard.settings import SourceSettings

PASSWORD = "hunt/er 2@%"


class Server:
    """A database server: where it listens, and how to ask it as its owner."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], ask: list[str], user: str | None) -> None:
        self.url, self.process, self._ask, self._user = url, process, ask, user

    def do(self, *statements: str) -> str:
        done = subprocess.run(
            self._ask,
            input=";\n".join([*statements, ""]),
            capture_output=True,
            text=True,
            user=self._user,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def as_user(name: str) -> str | None:
    """Servers refuse to run as root; then whom to run them as."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return name if name in known else "nobody"


def postgres_programs() -> Path:
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    pgserver = pytest.importorskip("pgserver", reason="no PostgreSQL on this machine")
    return Path(pgserver.__file__).parent / "pginstall" / "bin"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(ready: list[str], process: subprocess.Popen[bytes], user: str | None) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if subprocess.run(ready, capture_output=True, user=user, cwd="/").returncode == 0:
            return
        time.sleep(0.1)
    pytest.fail(f"{ready[0]}: the server did not start")


def ended(process: subprocess.Popen[bytes], how: int = signal.SIGINT) -> None:
    if process.poll() is None:
        process.send_signal(how)
        process.wait(30)


@pytest.fixture
def postgres() -> Iterator[Server]:
    with postgres_server() as server:
        yield server


class postgres_server:  # noqa: N801
    def __enter__(self) -> Server:
        programs, user, port = postgres_programs(), as_user("postgres"), free_port()
        self.home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        if user:
            shutil.chown(self.home, user)
        data = self.home / "data"
        initdb = [programs / "initdb", "-D", data, "-U", "owner", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, user=user, cwd="/")
        (data / "pg_hba.conf").write_text("local all owner trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        quick = [word for name in ("fsync=off", "listen_addresses=127.0.0.1") for word in ("-c", name)]
        command = [programs / "postgres", "-D", data, "-p", str(port), "-k", self.home, *quick]
        log = (self.home / "log").open("wb")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd="/")
        log.close()
        psql = [
            str(programs / "psql"),
            "-h",
            str(self.home),
            "-p",
            str(port),
            "-U",
            "owner",
            "-v",
            "ON_ERROR_STOP=1",
        ]
        until([*psql, "-c", "select 1", "postgres"], self.process, user)
        url = f"postgresql://reader:${{PW}}@127.0.0.1:{port}/postgres"
        server = Server(url, self.process, [*psql, "-At", "postgres"], user)
        quoted = PASSWORD.replace("'", "''")
        server.do(
            f"create role reader login password '{quoted}'",
            """create table patients as select n::int as id, n * 0.5::float8 as weight, 'p' || n as name,
               date '2026-01-01' + (n % 28)::int as day, timestamptz '2026-01-01 00:00:00+01' as at, n % 2 = 0 as well,
               (n * 0.25)::numeric(10,2) as price, md5(n::text)::uuid as uid, null::int as gap
               from generate_series(1, 100000) n""",
            "grant select on patients to reader",
        )
        return server

    def __exit__(self, *_: object) -> None:
        ended(self.process)
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", PASSWORD)


def asked(server: Server, query: str, **settings: Any) -> SourceSettings:
    return SourceSettings(url=server.url, query=query, **settings)


def hidden(text: str) -> bool:
    return not any(part in text for part in (PASSWORD, "hunt", "er%202"))


def test_postgres(postgres: Server, tmp_path: Path) -> None:
    found = extract(asked(postgres, "select * from patients order by id"), tmp_path)
    assert dict(found.schema) == {
        "id": pl.Int64, "weight": pl.Float64, "name": pl.String, "day": pl.Date, "at": pl.Datetime("us", "UTC"),
        "well": pl.Boolean, "price": pl.Float64, "uid": pl.String, "gap": pl.Int64,
    }  # fmt: skip
    assert found.height == 100_000
    row = found.row(2, named=True)
    assert (row["id"], row["weight"], row["name"], row["price"], row["well"]) == (3, 1.5, "p3", 0.75, False)
    assert str(row["at"]) == "2025-12-31 23:00:00+00:00"
    assert row["uid"] == "eccbc87e-4b5c-e2fe-2830-8fd9f2a7baf3"
    assert fingerprint(asked(postgres, "select 1"), tmp_path) is None

    parts = stage(
        asked(postgres, "select id, name from patients", partition_on="id"), tmp_path, tmp_path / "parts"
    )
    assert len(parts) == 4
    heights = [pl.read_parquet(part.path).height for part in parts]
    assert heights == [25_000] * 4
    assert pl.concat([pl.read_parquet(p.path) for p in parts])["id"].n_unique() == 100_000

    # Refusals name the source and what the server says, and never the password.
    for query, says in {
        "select * from nurses": 'refuses the query: relation "nurses" does not exist',
        "selec": "refuses the query: syntax error",
        "select 1 / (id - id) from patients": "refuses the query: division by zero",
        "delete from patients": "permission denied|read-only",
        "select array[id] as ids from patients": "column 'ids' is of type list",
        "select 1::money as price": "'price' is of type money",
        "select interval '1 day' as gap": "column 'gap' is of type",
        "select 1234567890.1234567890 as price": "'price' is numeric with values of more than 15 digits",
    }.items():
        with pytest.raises(DataRefused, match=rf"^postgresql://reader:\$\{{PW\}}@127.*{says}") as told:
            extract(asked(postgres, query), tmp_path)
        assert hidden(str(told.value))
    with pytest.raises(DataRefused, match="'name', which is no integer column"):
        extract(asked(postgres, "select * from patients", partition_on="name"), tmp_path)
    with pytest.raises(SettingsError, match="needs a query"):
        extract(postgres.url, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PW", "hunter3")
        with pytest.raises(DataRefused, match=r"refuses the login: password authentication failed") as told:
            extract(asked(postgres, "select 1"), tmp_path)
        assert "hunter3" not in str(told.value)
    assert not list(tmp_path.glob(".modelyard/scratch/*"))


def test_all_parts_see_one_state(postgres: Server, tmp_path: Path) -> None:
    postgres.do(
        "create table moving as select n as id from generate_series(1, 40000) n",
        "grant select on moving to reader",
    )
    ended_writing = threading.Event()

    def write() -> None:
        while not ended_writing.is_set():
            postgres.do("delete from moving where id in (1, 40000)", "insert into moving values (1), (40000)")
            postgres.do("update moving set id = case id when 1 then 40000 else 1 end where id in (1, 40000)")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for at in range(5):
            parts = stage(
                asked(postgres, "select id from moving", partition_on="id"), tmp_path, tmp_path / str(at)
            )
            assert sum(pl.read_parquet(part.path).height for part in parts) in (39_998, 40_000)
    finally:
        ended_writing.set()
        writer.join()


@pytest.mark.parametrize("partition_on", [None, "id"])
def test_a_server_that_goes_away_halfway(partition_on: str | None, tmp_path: Path) -> None:
    with postgres_server() as server:
        scratch = tmp_path / "scratch"
        query = (
            "select id, repeat(name, 200) as wide, case when id > 85000 then pg_sleep(0.001)::text end as pause "
            "from patients"
        )
        slow = asked(server, query, partition_on=partition_on, partitions=2)

        def kill() -> None:
            end = time.monotonic() + 30
            begun = "*.part" if partition_on is None else ""
            while not list(scratch.glob(begun) if begun else scratch.parent.glob("scratch")):
                assert time.monotonic() < end
                time.sleep(0.01)
            time.sleep(0.5)
            ended(server.process, signal.SIGQUIT)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(
            SourceDown, match=r"^postgresql://reader:\$\{PW\}@127.* is down or went away: "
        ) as told:
            stage(slow, tmp_path, scratch)
        killer.join()
        assert hidden(str(told.value))
        assert not scratch.exists()
        with pytest.raises(SourceDown, match="is down or went away"):
            stage(slow, tmp_path, scratch)


def test_a_project_s_dataset_and_no_password_in_its_yard(
    postgres: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "modelyard.toml").write_text(
        f'''[project]
name = "clinic"

[data.patients]
key = "id"

[data.patients.source]
url = "{postgres.url}"
query = "select id, weight, name from patients"
partition_on = "id"
'''
    )
    assert run(["-C", str(tmp_path), "ingest", "patients"]) == 0
    assert run(["-C", str(tmp_path), "ingest", "patients"]) == 0
    assert run(["-C", str(tmp_path), "audit"]) == 0
    said = capfd.readouterr()
    assert "patients@1" in said.out
    assert "patients@2" not in said.out
    monkeypatch.setenv("PW", "hunt-wrong")
    assert run(["-C", str(tmp_path), "ingest", "patients"]) != 0
    ended(postgres.process)
    monkeypatch.setenv("PW", PASSWORD)
    assert run(["-C", str(tmp_path), "ingest", "patients"]) == 3
    assert run(["-C", str(tmp_path), "--debug", "status"]) in (0, 1)
    said = capfd.readouterr()
    assert "is down or went away" in said.err
    assert hidden(said.out + said.err)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"hunt" not in path.read_bytes(), path
    assert not list(tmp_path.glob(".modelyard/scratch/*"))


@pytest.mark.parametrize(
    "query",
    [
        "select id, name, at, well from patients",
        "select id, name, at, well from patients where at >= :watermark",
    ],
)
def test_postgres_is_asked_for_what_is_newer(
    query: str, postgres: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "modelyard.toml").write_text(
        f'''[project]
name = "clinic"

[data.patients]
key = "id"
target = "well"
incremental = {{ mode = "watermark", on = "at", lateness = "1h", since = "2000-01-01" }}

[data.patients.source]
url = "{postgres.url}"
query = "{query}"
partition_on = "id"
'''
    )

    def ingested() -> str:
        capfd.readouterr()
        assert run(["-C", str(tmp_path), "ingest"]) == 0, capfd.readouterr().err
        return capfd.readouterr().out

    postgres.do(
        "update patients set at = timestamptz '2026-01-01 00:00:00+00' + id * interval '1 minute'",
        "alter table patients alter column at type timestamp using at at time zone 'UTC'",
        "alter database postgres set timezone to 'America/New_York'",
    )
    assert "patients@1: 100000 rows" in ingested()
    assert "patients@1: nothing new" in ingested()
    newest = "(select max(at) from patients where id <= 100000)"
    postgres.do(
        f"insert into patients (id, name, at, well) values (100001, 'new', {newest} + interval '1 minute', true)",
        f"insert into patients (id, name, at, well) values (100002, 'late', {newest} - interval '30 minutes', true)",
        f"insert into patients (id, name, at, well) values (100003, 'too late', {newest} - interval '2 hours', true)",
        "update patients set name = 'corrected' where id in (100000, 1)",
    )
    said = ingested()
    assert "patients@2: 100002 rows" in said
    assert "2 added, 1 replaced, 60 identical" in said
    read = int(said.split("read ")[1].split(" rows")[0].replace(",", ""))
    assert read < 2000, "the query is told the watermark"
    assert "patients@2: nothing new" in ingested()


@pytest.fixture
def mariadb() -> Iterator[Server]:
    everywhere = f"{os.environ['PATH']}:/usr/sbin"  # where Debian has it, and people's PATH has not
    program, install = (shutil.which(name, path=everywhere) for name in ("mariadbd", "mariadb-install-db"))
    if program is None or install is None:
        pytest.skip("no MariaDB on this machine; install mariadb-server-core and mariadb-client-core")
    user, port = as_user("mysql"), free_port()
    home = Path(tempfile.mkdtemp(prefix="maria-", dir="/tmp"))
    if user:
        shutil.chown(home, user)
    own = [f"--datadir={home}/data", f"--socket={home}/s", f"--tmpdir={home}"]
    subprocess.run(
        [install, "--no-defaults", *own[:1], "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True, capture_output=True, user=user, cwd="/",
    )  # fmt: skip
    log = (home / "log").open("wb")
    process = subprocess.Popen(
        [program, "--no-defaults", *own, f"--port={port}", "--bind-address=127.0.0.1", f"--pid-file={home}/pid"],
        stdout=log, stderr=log, user=user, cwd="/",
    )  # fmt: skip
    log.close()
    client = [shutil.which("mariadb") or "mysql", "--no-defaults", f"--socket={home}/s", "-u", "root"]
    try:
        until([*client, "-e", "select 1"], process, user)
        server = Server(f"mariadb://reader:${{PW}}@127.0.0.1:{port}/clinic", process, client, user)
        server.do(
            "create database clinic",
            f"create user reader identified by '{PASSWORD}'",
            "grant select on clinic.* to reader",
            """create table clinic.patients as select cast(seq as int) as id, seq * 0.5e0 as weight,
               concat('p', seq) as name, date '2026-01-31' as day, timestamp '2026-01-31 12:00:00' as at,
               cast(seq * 0.25 as decimal(10, 2)) as price from clinic.seq_1_to_100000""",
        )
        yield server
    finally:
        ended(process, signal.SIGTERM)
        shutil.rmtree(home, ignore_errors=True)


def test_mariadb(mariadb: Server, tmp_path: Path) -> None:
    found = extract(asked(mariadb, "select * from patients order by id"), tmp_path)
    assert found.height == 100_000
    row = found.row(2, named=True)
    assert (row["id"], row["weight"], row["name"], row["price"]) == (3, 1.5, "p3", 0.75)
    assert (str(row["day"]), str(row["at"])) == ("2026-01-31", "2026-01-31 12:00:00+00:00")
    parts = asked(mariadb, "select id, name from patients", partition_on="id", partitions=3)
    assert extract(parts, tmp_path)["id"].n_unique() == 100_000
    for query, says in {
        "select * from nurses": "nurses.* doesn't exist",
        "selec": "error in your SQL syntax",
    }.items():
        with pytest.raises(DataRefused, match=rf"^mariadb://reader:\$\{{PW\}}@127.*{says}") as told:
            extract(asked(mariadb, query), tmp_path)
        assert hidden(str(told.value))
    for value, query, rows in (
        (dt.date(2026, 2, 1), "select * from patients", 100_000),
        (dt.date(2026, 2, 2), "select * from patients", 0),
        (dt.datetime(2026, 2, 2, tzinfo=dt.UTC), "select * from patients where at >= :watermark", 0),
    ):
        on = "at" if isinstance(value, dt.datetime) else "day"
        (found_since,) = stage(asked(mariadb, query), tmp_path, tmp_path / "since", since=Since(on, value))
        assert pl.scan_parquet(found_since.path).select(pl.len()).collect().item() == rows
    ended(mariadb.process, signal.SIGKILL)
    with pytest.raises(SourceDown, match="is down or went away: Connection refused") as gone:
        extract(parts, tmp_path)
    assert hidden(str(gone.value))
    assert not list(tmp_path.glob(".modelyard/scratch/*"))


def test_a_missing_library_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for module, scheme, extra in (
        ("adbc_driver_postgresql.dbapi", "postgresql", "postgres"),
        ("connectorx", "mysql", "mysql"),
        ("connectorx", "mssql", "sqlserver"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ExtraMissing, match=rf"pip install 'modelyard\[yard,{extra}\]'"):
            extract(SourceSettings(url=f"{scheme}://u:${{PW}}@127.0.0.1/d", query="select 1"), tmp_path)


def test_addresses_of_no_kind(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is of no known kind"):
        extract("ftp://host/a.csv", tmp_path)
    with pytest.raises(SettingsError, match="is of no known kind"):
        extract(SourceSettings(url="oracle://u:hunter2@host/d", query="select 1"), tmp_path)
