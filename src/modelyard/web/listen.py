"""Where the console listens, and who may find it there."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

import uvicorn

from modelyard.errors import AccessDenied, PortTaken, SettingsError, StoreDown
from modelyard.project import Project
from modelyard.web.app import app
from modelyard.web.desk import Desk

KEY = "console.key"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def listen(project: Project) -> None:
    """Answer until SIGTERM or SIGINT.

    Raises ``SettingsError`` beyond loopback in a yard that asks nobody for a token, ``PortTaken``, ``StoreDown``.
    """
    settings = project.settings.console
    refuse_open_door(project)
    key = own_key(project.home)
    desk = Desk(project, key)
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        door = socket.create_server((settings.host, settings.port), family=family, backlog=128)
    except OSError as error:
        raise PortTaken(
            f"The console cannot listen on {settings.host}, port {settings.port} ({error.strerror}): end the program that "
            "does, or set console.port to another."
        ) from None
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(f"console: http://{host}:{settings.port}/login?once={desk.sessions.invite()}", flush=True)
    config = uvicorn.Config(
        app(desk),
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        limit_concurrency=200,
        h11_max_incomplete_event_size=16 << 10,
    )
    uvicorn.Server(config).run(sockets=[door])


def refuse_open_door(project: Project) -> None:
    """Beyond loopback only people with a token of the yard come in, so the yard must ask for one."""
    if project.settings.console.host in LOOPBACK:
        return
    try:
        with Project(root=project.root, settings=project.settings, asserted="nobody").yard.read():
            pass
    except AccessDenied:
        return
    raise SettingsError(
        f"console.host is {project.settings.console.host}, beyond loopback, and the yard asks nobody for a token; make an "
        "admin's first ('modelyard token create NAME --role admin'), or take console.host out."
    )


def own_key(home: Path) -> str:
    """What opens the console where the yard asks for no tokens: in a file that its owner alone reads, made at first use."""
    path = home / KEY
    try:
        if not path.exists():
            draft = path.with_suffix(f".{os.getpid()}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32) + "\n")
            draft.rename(path)
        return path.read_text().strip()
    except OSError as error:
        raise StoreDown(f"{path} cannot be used: {error.strerror}.") from None
