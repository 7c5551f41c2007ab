"""What git knows of the project: its state, its commits, and its files as they were."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_QUICK, _LONG = 20.0, 600.0
"""Seconds: for a question, and for writing a tree."""


def git(
    root: Path, *arguments: str, timeout: float = _QUICK, environ: Mapping[str, str] | None = None
) -> str | None:
    """What git prints in ``root``; None when it is missing, too slow or says no."""
    # A hook's GIT_DIR would name another repository; a lock would get in the way of the user's git.
    ours = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            env=ours | dict(environ or {}),
            timeout=timeout,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")


def commit(root: Path, revision: str) -> str | None:
    """The full name of the commit that a revision (``main``, ``HEAD~2``, ``v1``) means; None where there is none."""
    if revision.startswith("-"):
        return None
    found = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return found.strip() if found else None


def before(root: Path, revision: str, most: int = 1000) -> list[str]:
    """The commit and those that led to it, itself first; at most so many."""
    found = git(root, "rev-list", f"--max-count={most}", "--end-of-options", revision)
    return found.split() if found else []


def checkout(root: Path, revision: str, folder: Path) -> Path | None:
    """Write the project's files as they were committed into ``folder``, and return the project's folder there.

    None when git cannot write them, or the commit held no such project. The repository, its index and its work tree stay as
    they are; what a checkout would convert (line ends, large files kept elsewhere) is converted.
    """
    name = commit(root, revision)
    inside = git(root, "rev-parse", "--show-prefix")
    if name is None or inside is None:
        return None
    apart = {"GIT_INDEX_FILE": str(folder / ".index")}
    place = folder / "tree"
    for words in (("read-tree", name), ("checkout-index", "--all", f"--prefix={place}/")):
        if git(root, *words, timeout=_LONG, environ=apart) is None:
            return None
    found = place / inside.strip("\n")
    return found if found.is_dir() else None
