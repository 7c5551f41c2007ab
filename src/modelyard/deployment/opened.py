"""Targets beyond this machine, as the settings have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelyard.deployment.config_repository import ConfigRepository
from modelyard.deployment.gitops import Followed, GitopsTarget
from modelyard.deployment.kubectl import Kubectl
from modelyard.deployment.kubernetes import Images, KubernetesTarget, Manifests, Place
from modelyard.deployment.local import LocalTarget
from modelyard.deployment.ssh import ROOMS, Connection, Server, SshTarget
from modelyard.records.service import ServedModel
from modelyard.settings import EnvironmentSettings, GitopsSettings, KubernetesSettings


def ssh(
    environment: EnvironmentSettings,
    root: Path,
    name: str,
    *,
    rooms: Sequence[str],
    requirements: Callable[[Sequence[ServedModel]], str],
) -> SshTarget:
    settings = environment.ssh
    assert settings is not None, "the settings were read"
    server = Server(
        connection=Connection(
            host=settings.host,
            port=settings.port,
            key=root / settings.key if settings.key else None,
            config=root / settings.config if settings.config else None,
        ),
        folder=f"{settings.folder}/{name}",
        manager=settings.manager,
        python=settings.python,
        environment=settings.environment,
        log=settings.log,
    )
    return SshTarget(server, rooms=(*rooms, *ROOMS), requirements=requirements)


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service of pods, and what they are made of."""

    name: str
    environment: str
    namespace: str
    image: Images
    manifests: Manifests


def pods(
    settings: EnvironmentSettings, root: Path, service: Service, *, tokens: Sequence[str], scratch: Path
) -> KubernetesTarget | GitopsTarget:
    """Of an environment whose service is in a cluster; ``tokens`` are those with which it may be asked."""
    if settings.gitops:
        return _gitops(settings.gitops, service, tokens=tokens, scratch=scratch)
    assert settings.kubernetes is not None, "the settings were read"
    return _kubernetes(settings.kubernetes, root, service)


def _kubernetes(settings: KubernetesSettings, root: Path, service: Service) -> KubernetesTarget:
    cluster = Kubectl(
        namespace=service.namespace,
        context=settings.context,
        kubeconfig=root / settings.kubeconfig if settings.kubeconfig else None,
    )
    place = Place(cluster=cluster, name=service.name, wait=_seconds(settings.wait), address=settings.address)
    return KubernetesTarget(place, image=service.image, manifests=service.manifests)


def _gitops(
    settings: GitopsSettings, service: Service, *, tokens: Sequence[str], scratch: Path
) -> GitopsTarget:
    repository = ConfigRepository(
        url=settings.repository,
        branch=settings.branch,
        folder=settings.folder or f"{service.name}/{service.environment}",
    )
    followed = Followed(
        repository=repository,
        name=service.name,
        namespace=service.namespace,
        wait=_seconds(settings.wait),
        address=settings.address,
        token=tokens[0] if tokens else None,
    )
    here = LocalTarget(scratch, scratch=scratch)
    return GitopsTarget(followed, image=service.image, manifests=service.manifests, here=here)


def _seconds(text: str) -> float:
    return float(text[:-1]) * (60 if text.endswith("m") else 1)
