"""``init``: a new project that builds and passes its tests at once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from modelyard.scaffold import Choices, Created, create


def init(folder: Path, choices: Choices) -> Created:
    """Write the project, or what a repository does not have of one; nothing half-written stays after an error.

    The repository's address is that of the remote ``origin`` unless it is chosen.
    """
    if not choices.repository:
        choices = msgspec.structs.replace(choices, repository=_origin(folder))
    return create(folder, choices)


def _origin(folder: Path) -> str:
    """Without what may be a password in it; empty where there is none, or none of a forge."""
    if not (folder / ".git").exists():
        return ""
    told = subprocess.run(
        ["git", "-C", str(folder), "remote", "get-url", "origin"], capture_output=True, text=True, check=False
    )
    address = told.stdout.strip()
    scheme, parted, rest = address.partition("://")
    if parted and "@" in rest.partition("/")[0] and scheme != "ssh":
        address = f"{scheme}://{rest.partition('@')[2]}"
    return (
        address
        if told.returncode == 0 and address.startswith(("https://", "http://", "git@", "ssh://"))
        else ""
    )
