"""Settings and opened ports, handed down: the only composition root (floor 5)."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import fcntl
import getpass
import os
import uuid
import weakref
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import msgspec

from modelyard import settings as settings_
from modelyard.errors import Outage, SettingsError, StoreDown, UnknownName
from modelyard.ports import ArtifactStore, Yard
from modelyard.records.access import TOKEN, Person, Role
from modelyard.records.trust import Trust
from modelyard.settings import (
    DataSettings,
    EnvironmentSettings,
    ModelSettings,
    MonitorSettings,
    Settings,
    TriggerSettings,
    YardSettings,
)
from modelyard.storage.durable import sync
from modelyard.storage.filelock import seize

if TYPE_CHECKING:
    from modelyard.ports import Target
    from modelyard.records.dataset import DatasetVersion
    from modelyard.registry.access import Guard
    from modelyard.signing import Signer
    from modelyard.storage.database import Database
    from modelyard.storage.mirror import Mirror

HOME = ".modelyard"
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Project:
    """One project with its yard. Ports open at first use, so that a look costs only what it needs."""

    root: Path
    settings: Settings
    asserted: str
    """Who acts, by their own word; ``actor`` is who they are."""
    tell: Callable[[str], None] = lambda _: None
    """Called with a short sentence when long work begins its next part."""
    secret: str = dataclasses.field(default="", repr=False)
    """What proves who acts."""

    @property
    def actor(self) -> str:
        """Who acts, as the audit trail names them."""
        return self.person.name

    @cached_property
    def person(self) -> Person:
        """Who acts, proven by their token or asserted. Raises ``AccessDenied``."""
        if not self.secret:
            return Person(name=self.asserted)
        with self.yard.read() as facts:
            found = self._guard.identify(facts, self.asserted)
        with contextlib.suppress(Outage):  # that it was used today is worth no failure
            used = f"token/{found.token}/{now():%Y-%m-%dT%H}"
            self.yard.once(used, found.name, lambda _: None, type(None))
        return found

    def require(self, role: Role, environment: str | None = None) -> None:
        """Raise ``AccessDenied`` when who acts has not the role, before any work is done; the yard asks once more."""
        from modelyard.registry.access import require

        if not self.secret:
            with self.yard.read():  # which refuses whoever shows no token where one is asked for
                pass
        require(self.person, role, environment)

    @cached_property
    def home(self) -> Path:
        """The folder of what this machine keeps for the project: its owner's alone, since rows and what was
        asked of services are kept there. Who means others to read it changes its mode."""
        folder = self.root / HOME
        if not folder.exists():
            with contextlib.suppress(OSError):  # whoever writes there says it better
                folder.mkdir(mode=0o700)
                sync(self.root)
        return folder

    @cached_property
    def yard(self) -> Yard:
        from modelyard.storage.database import SqlYard

        opened = SqlYard(self._database, clock=now, guard=self._guard)
        if self.secret:  # looking is a use of it too
            self.__dict__["yard"] = opened
            _ = self.person
        return opened

    @cached_property
    def _database(self) -> Database:
        from modelyard.storage.database import open_database

        _ = self.home
        return open_database(self.settings.yard.database, self.root)

    @cached_property
    def _guard(self) -> Guard:
        from modelyard.registry.access import Guard

        return Guard(self.secret, clock=now)

    @cached_property
    def artifacts(self) -> ArtifactStore:
        from modelyard.storage.artifacts import open_artifacts

        _ = self._lease
        return open_artifacts(self.settings.yard.artifacts, self.root)

    @property
    def tables(self) -> Path:
        """The folder of the Delta tables; of those in a bucket, what this machine has."""
        _ = self._lease
        folder = self.home / "tables" if self.mirror else self.root / self.settings.yard.artifacts / "tables"
        if wrong := sorted(set("#?%") & set(str(folder))):
            raise SettingsError(
                f"A Delta table cannot be kept in {folder}: its path has a '{wrong[0]}'; "
                "rename the folder, or set yard.artifacts to another."
            )
        return folder

    @cached_property
    def mirror(self) -> Mirror | None:
        """The tables in the bucket, where the yard's artifacts are in one."""
        from modelyard.storage.bucket import is_bucket

        address = self.settings.yard.artifacts
        if not is_bucket(address):
            return None
        from modelyard.storage.mirror import Mirror

        return Mirror(address, self.home / "tables")

    def holding(self, version: DatasetVersion) -> Path:
        """``tables``, where that version can be read."""
        if self.mirror:
            self.mirror.pull(version.table, version.parts)
        return self.tables

    @cached_property
    def target(self) -> Target:
        """Where services run; which of the targets is told by the environment."""
        from modelyard import deployment

        return deployment.Targets(self._target)

    def _target(self, environment: str) -> Target:
        from modelyard import deployment

        settings = self.settings.environments.get(environment)
        if settings is None or settings.target == "local":
            return deployment.LocalTarget(self.home / "services", scratch=self.scratch)
        from modelyard import infra
        from modelyard.deployment import opened

        name, pods = self.settings.project.name, settings.pods
        if pods is None:
            return opened.ssh(settings, self.root, name, rooms=infra.ROOMS, requirements=infra.needed)
        at = infra.place(self.settings, self.root, user="")
        made = opened.Service(
            name=at.project,
            environment=environment,
            namespace=at.stage(environment).namespace,
            image=infra.Images(at, environment, scratch=self.scratch, tell=self.tell),
            manifests=infra.manifests(at, environment, pods, committed=bool(settings.gitops)),
        )
        return opened.pods(settings, self.root, made, tokens=self.tokens(environment), scratch=self.scratch)

    @property
    def keys(self) -> Path:
        """The folder of this machine's own signing keys."""
        return self.home / "keys"

    def signer(self) -> Signer:
        """The key that signs here; one of this machine's own is made at first use."""
        from modelyard.signing import signer, signer_from

        given = self.settings.signing.key
        return signer_from(self.root / given) if given else signer(self.keys)

    def trust(self, environment: str | None = None) -> Trust:
        """Whose signatures count in the environment, or for what a person runs on this machine."""
        from modelyard.signing import own, public

        settings = self.settings.signing
        narrow = self.environment(environment).trusted if environment else None
        files = settings.trusted if narrow is None else narrow
        keys = [public(self.root / file) for file in files]
        if narrow is None:
            keys += own(self.keys)
            if settings.key:
                keys.append(self.signer().public)
        return Trust(
            keys=tuple(dict.fromkeys(key.pem for key in keys)),
            revoked=settings.revoked,
            always=narrow is not None,
            where=f"in {environment}" if environment else "here",
        )

    def package_folder(self, digest: str) -> Path:
        """Where a package is materialised on this machine."""
        return self.home / "packages" / digest

    def run_folder(self, run: str) -> Path:
        """Where a training works, until what it leaves is stored."""
        return self.home / "runs" / run

    def study_file(self, model: str, key: str) -> Path:
        """Where the finished trials of a study are, until the run that they serve has ended well."""
        return self.home / "studies" / model / f"{key}.jsonl"

    def report_folder(self, model: str, digest: str) -> Path:
        """Where the report on a package is written for people."""
        return self.home / "reports" / model / digest[:12]

    def log_folder(self, environment: str) -> Path:
        """Where an environment's services write the prediction log's segments."""
        return self.home / "predictions" / environment

    @property
    def scratch(self) -> Path:
        """Where a command keeps what only it needs, as long as it runs."""
        return self.home / "scratch"

    def left_over(self) -> list[Path]:
        """Scratch folders of this project's killed commands."""
        from modelyard.storage.scratch import left_over

        return [*left_over(self.tables / ".scratch", "rows-*"), *left_over(self.scratch, "*")]

    def data(self, name: str) -> DataSettings:
        return _named(self.settings.data, name, "dataset", "data")

    def model(self, name: str) -> ModelSettings:
        return _named(self.settings.models, name, "model", "models")

    def environment(self, name: str) -> EnvironmentSettings:
        return _named(self.settings.environments, name, "environment", "environments")

    def monitor(self, model: str) -> MonitorSettings:
        return self.settings.monitor.get(model, MonitorSettings())

    def trigger(self, model: str) -> TriggerSettings:
        """What starts its builds, with the environments that it means named."""
        _ = self.model(model)
        given = self.settings.triggers.get(model, TriggerSettings())
        names = tuple(self.settings.environments)
        if not names:
            raise SettingsError(
                "There is no environment in modelyard.toml that a build could go to; add [environments.test]."
            )
        to = given.deploy_to or names[-1]
        return msgspec.structs.replace(given, deploy_to=to, environment=given.environment or to)

    def tokens(self, environment: str) -> tuple[str, ...]:
        """The bearer tokens that an environment's service accepts, as they stand in its file."""
        file = self.environment(environment).token_file
        if file is None:
            return ()
        path = self.root / file
        try:
            tokens = tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
        except OSError as error:
            raise SettingsError(
                f"environments.{environment}.token_file: {path} cannot be read: {error.strerror}."
            ) from None
        if not tokens:
            raise SettingsError(f"environments.{environment}.token_file: {path} has no token in it.")
        return tokens

    def afresh(self) -> Project:
        """The same project with its settings as they are by now, in the same yard unless they name another."""
        other = dataclasses.replace(self, settings=settings_.read(self.root))
        if other.settings.yard == self.settings.yard:
            other.__dict__["yard"] = self.yard
        return other

    def shown(self, secret: str) -> Project:
        """The same project for whoever shows ``secret``, over the same connections to the yard."""
        other = dataclasses.replace(self, secret=secret)
        other.__dict__["_database"] = self._database
        return other

    def elsewhere(self, yard: YardSettings) -> Project:
        """The same project with its yard there; to be used while this one is, under its lease."""
        other = dataclasses.replace(self, settings=msgspec.structs.replace(self.settings, yard=yard))
        other.__dict__["_lease"] = None
        return other

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other command from the artifacts and the tables, as ``gc`` must.

        Raises ``StoreDown`` when some still work there after ten seconds.
        """
        own: IO[bytes] | None = self.__dict__.get("_lease")
        self.close()  # it would be waited for
        self.__dict__["_lease"] = None
        try:
            with self._lock_file("gc") as file:
                seize(file)
                yield
        finally:
            del self.__dict__["_lease"]
            if own is not None:
                _ = self._lease

    def close(self) -> None:
        """Let go of the artifacts and the tables, which ``gc`` may wait for; not to be used afterwards."""
        if (file := self.__dict__.get("_lease")) is not None:
            file.close()

    @cached_property
    def _lease(self) -> IO[bytes] | None:
        """Held as long as this object lives: what a command stores may be on record only at its end."""
        try:
            file = self._lock_file("gc")
        except StoreDown:
            return None  # nothing can be written here, so nothing is collected either
        fcntl.flock(file, fcntl.LOCK_SH)
        weakref.finalize(self, file.close)
        return file

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """One process at a time on this machine; the others wait. Freed when the process ends."""
        with self._lock_file(name) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _lock_file(self, name: str) -> IO[bytes]:
        path = self.home / "locks" / f"{name}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("ab")
        except OSError as error:
            raise StoreDown(f"The lock {path} cannot be taken: {error.strerror}.") from None


def open_project(
    start: Path | None = None, *, actor: str | None = None, tell: Callable[[str], None] = lambda _: None
) -> Project:
    """The project at or above ``start`` (by default the working folder), for whom ``MODELYARD_TOKEN`` proves or ``actor`` asserts."""
    try:
        root = settings_.find(start or Path.cwd())
    except FileNotFoundError:
        raise SettingsError("The working folder is gone; change into the project's folder.") from None
    return Project(
        root=root,
        settings=settings_.read(root),
        asserted=actor or _actor(),
        tell=tell,
        secret=os.environ.get(TOKEN, "").strip(),
    )


def now() -> dt.datetime:
    """The time in UTC."""
    return dt.datetime.now(dt.UTC)


def fresh(verb: str) -> str:
    """An operation id for a command that a person gave: each giving is an operation of its own."""
    return f"{verb}/{uuid.uuid4()}"


def _actor() -> str:
    """``MODELYARD_ACTOR``, or the name that this process runs under."""
    if name := os.environ.get("MODELYARD_ACTOR", "").strip():
        return name[:120]
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def _named(table: dict[str, T], name: str, noun: str, section: str) -> T:
    if name in table:
        return table[name]
    known = ", ".join(table) or "none"
    raise UnknownName(f"There is no {noun} '{name}' in modelyard.toml ([{section}.{name}]); known: {known}.")
