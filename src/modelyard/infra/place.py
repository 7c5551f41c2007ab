"""Facts of a project that the files of all programs are made of."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelyard.errors import SettingsError
from modelyard.settings import Settings

PORT = 8080
"""That a container listens on."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """An environment as it is called elsewhere."""

    name: str
    service: str
    """A name for containers, pods and upstreams, such as ``screening-prod``."""
    host: str
    """``screening-prod.example.org``; of the last environment ``screening.example.org``."""
    namespace: str
    address: str
    """Where its service listens on this machine."""
    port: int
    workers: int
    upstreams: tuple[str, ...]
    repository: str
    """The config repository of its pods, with the branch and the folder."""
    branch: str
    folder: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """A project with its environments."""

    project: str
    environments: tuple[Stage, ...]
    models: tuple[str, ...]
    image: str
    """Without a tag."""
    base: str
    port: int
    replicas: tuple[int, int]
    cpu: str
    memory: str
    domain: str
    retrain: str
    root: Path
    user: str
    python: str

    def stage(self, environment: str) -> Stage:
        return next(one for one in self.environments if one.name == environment)


@dataclass(frozen=True, kw_only=True)
class Release:
    """A plan on its way to a cluster."""

    image: str
    plan: str
    """The secret that holds it."""
    keys: tuple[str, ...]
    """Of that secret, which pods read."""
    notes: Mapping[str, str]
    """Annotations of its pods."""
    replicas: tuple[int, int]
    committed: bool = False
    """It is kept in a repository: the plan is a ConfigMap there, and who may ask a secret of the cluster alone."""
    candidate: str = ""
    """The name of the pod that is tried; else it is the service."""
    pull: str | None = None
    """The secret with which images are pulled."""
    lifetime: int = 1800
    """Seconds that a candidate has."""

    @property
    def scaled(self) -> bool:
        return self.replicas[0] < self.replicas[1]


def place(settings: Settings, root: Path, *, user: str) -> Place:
    """The facts. Raises ``SettingsError`` for a project without environments."""
    infra, name = settings.infra, settings.project.name.replace("_", "-")
    if not settings.environments:
        raise SettingsError(
            "There is no environment in modelyard.toml; write [environments.prod] with a port."
        )
    last = list(settings.environments)[-1]
    return Place(
        project=name,
        environments=tuple(
            Stage(
                name=environment,
                service=f"{name}-{_plain(environment)}",
                host=f"{name if environment == last else f'{name}-{_plain(environment)}'}.{infra.domain}",
                namespace=(one.pods and one.pods.namespace)
                or f"{_plain(infra.namespace or name)}-{_plain(environment)}",
                address=one.host,
                port=one.port,
                workers=one.workers,
                repository=one.gitops.repository if one.gitops else "https://git.example.org/team/config.git",
                branch=one.gitops.branch if one.gitops else "main",
                folder=(one.gitops and one.gitops.folder) or f"{name}/{environment}",
                upstreams=infra.upstreams.get(environment) or (_address(one.host, one.port),),
            )
            for environment, one in settings.environments.items()
        ),
        models=tuple(settings.models),
        image="/".join(part for part in (infra.registry.rstrip("/"), name) if part),
        base=infra.base or f"python:{sys.version_info.major}.{sys.version_info.minor}-slim",
        port=PORT,
        replicas=infra.replicas,
        cpu=infra.cpu,
        memory=infra.memory,
        domain=infra.domain,
        retrain=infra.retrain,
        root=root.resolve(),
        user=user,
        python=sys.executable,
    )


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _plain(name: str) -> str:
    return name.replace("_", "-")
