"""Where an environment's services run."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Server = Annotated[str, Meta(pattern=r"^([A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9._:-]*$", max_length=255)]


class SshSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[environments.NAME.ssh]``: the server of ``target = "ssh"``. Its key must be known to this machine."""

    host: Server
    """As ``ssh`` has it: ``user@server.example.org``, or a name in its configuration."""
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    key: str | None = None
    """A private key's file, relative to the project; by default what ssh takes."""
    config: str | None = None
    """A file to read instead of ssh's own configuration, relative to the project."""
    folder: Annotated[str, Meta(min_length=1)] = "modelyard"
    """Where everything is kept on the server, relative to the user's home there."""
    manager: Literal["systemd", "process"] = "systemd"
    """``systemd``: a unit of the user's own, begun again whenever it ends; ``process``: a process that ends with the machine."""
    python: str = "python3"
    """Of the server, which makes the service's environment; of the minor version that packages were made with."""
    environment: str | None = None
    """A virtual environment on the server that has the libraries already; by default one is made from the locked
    requirements, by pip and the server's package index."""
    log: str | None = None
    """An absolute folder on the server for the prediction log; without it nothing is logged."""


Label = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Count = Annotated[int, Meta(ge=1)]


class PodSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What targets in a cluster share."""

    namespace: Label | None = None
    """By default as ``render kubernetes`` calls it: ``PROJECT-ENVIRONMENT``."""
    replicas: tuple[Count, Count] | None = None
    """The fewest and the most pods; by default those of ``[infra]`` in the last environment, and from 1 on in the others.
    Two equal numbers: no autoscaler."""
    wait: Annotated[str, Meta(pattern=r"^[1-9][0-9]*[sm]$")] = "5m"
    """How long pods may take until they are ready, their image's way to the nodes included."""
    address: Annotated[str, Meta(pattern=r"^https?://[^\s/]+[^\s]*$")] | None = None
    """Where clients ask, which this machine can ask too; without it a release in a cluster is looked at through a tunnel, and
    one in a repository not at all."""
    pull_secret: Label | None = None
    """A secret of the namespace with which images are pulled."""

    def __post_init__(self) -> None:
        if self.replicas and self.replicas[0] > self.replicas[1]:
            raise ValueError("'replicas' must not fall")


class KubernetesSettings(PodSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[environments.NAME.kubernetes]``: the cluster of ``target = "kubernetes"``, as ``kubectl`` reaches it."""

    context: str | None = None
    """Of the kubeconfig; by default its current one, which another command may change."""
    kubeconfig: str | None = None
    """A file, relative to the project; by default what kubectl takes (``KUBECONFIG``, ``~/.kube/config``)."""


class GitopsSettings(PodSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[environments.NAME.gitops]``: the config repository of ``target = "gitops"``, which another program applies."""

    repository: Annotated[str, Meta(min_length=1)]
    """As ``git clone`` has it. Who may push is git's to know: a key, a credential helper; no password here."""
    branch: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")] = "main"
    folder: (
        Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$")] | None
    ) = None
    """The environment's own, in the repository; by default ``PROJECT/ENVIRONMENT``."""
