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
