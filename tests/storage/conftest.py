"""A PostgreSQL server of these tests' own, with a schema for each test."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PASSWORD = "p@ss:wörd/é"
_schemas = itertools.count()


class Server:
    """Started on first use; ``url`` is that of a new, empty schema."""

    def __init__(self, home: Path) -> None:
        self.home = home
        if found := shutil.which("postgres"):
            self.programs = Path(found).resolve().parent
        else:
            reason = (
                "no PostgreSQL here: pip install pgserver (Python 3.11, 3.12), or apt-get install postgresql"
            )
            self.programs = (
                Path(pytest.importorskip("pgserver", reason=reason).__file__).parent / "pginstall" / "bin"
            )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        known = {entry.pw_name for entry in pwd.getpwall()}
        # The server refuses to run as root.
        self.user = None if os.getuid() else "postgres" if "postgres" in known else "nobody"
        if self.user:
            shutil.chown(home, self.user)
        self._run("initdb", "-D", home / "data", "-U", "owner", "-A", "trust", "--no-sync", "-E", "UTF8")
        (home / "data" / "pg_hba.conf").write_text(
            "local all owner trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        self.start()
        self.do(f"create role modeller login password '{PASSWORD}'")

    def _run(self, program: str, *words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(self.programs / program), *map(str, words)]
        return subprocess.run(
            command, check=check, capture_output=True, text=True, user=self.user, cwd="/", timeout=120
        )

    def start(self) -> None:
        options = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=60"]
        command = [
            self.programs / "postgres",
            "-D",
            self.home / "data",
            "-p",
            str(self.port),
            "-k",
            self.home,
        ]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *options], stdout=log, stderr=log, user=self.user, cwd="/"
            )
        for _ in range(600):
            if not self._run("pg_isready", "-h", self.home, "-p", self.port, check=False).returncode:
                return
            time.sleep(0.1)
        pytest.fail("the PostgreSQL server did not start")

    def stop(self, how: int = signal.SIGINT) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)

    def do(self, sql: str) -> str:
        words = ("-h", self.home, "-p", self.port, "-U", "owner", "-v", "ON_ERROR_STOP=1", "-At")
        return self._run("psql", *words, "-c", sql, "postgres").stdout.strip()

    def schema(self) -> str:
        """The URL of a schema that nothing is in."""
        name = f"yard{next(_schemas)}"
        self.do(f"create schema {name} authorization modeller")
        from urllib.parse import quote

        return (
            f"postgresql+psycopg://modeller:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/postgres"
            f"?options=-csearch_path%3D{name}"
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as home:
        server = Server(Path(home))
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def postgres_url(postgres: Server) -> Callable[[], str]:
    return postgres.schema


@pytest.fixture(scope="session")
def s3_server(moto_python: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    at = f"http://127.0.0.1:{port}"
    command = [moto_python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(f"{at}/yards", method="PUT", data=b"")).close()
                break
            except OSError:
                assert time.monotonic() < end, "the store did not start"
                time.sleep(0.1)
        yield at
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def bucket_address(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix under which nothing is, with what reaches it in the environment."""
    for name, value in (
        ("AWS_ENDPOINT_URL", s3_server),
        ("AWS_ACCESS_KEY_ID", "modeller"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ("AWS_REGION", "eu-central-1"),
    ):
        monkeypatch.setenv(name, value)
    return f"s3://yards/{uuid.uuid4().hex}"
