"""One folder of a git repository that another program applies: every change of it is a commit that was pushed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from modelyard.errors import ExtraMissing, ServiceDown
from modelyard.storage.scratch import scratch

TRAILER = "Modelyard-Generation"
"""In the message of each commit that is ours."""
_TRIES = 8
_SECONDS = 120
_ADVICE = (
    (
        r"[Aa]uthentication failed|could not read (Username|Password)|HTTP Basic|401",
        "the token has expired or is not given; renew it where git finds it",
    ),
    (
        r"[Pp]ermission|denied|403|protected branch|pre-receive hook declined|not allowed",
        "its user may not push to that branch; give it the right, or another 'branch'",
    ),
    (r"Remote branch .* not found", "push a first commit to that branch, or name another"),
    (
        r"not found|does not appear to be a git repository|does not exist|Could not resolve|unable to access|refused|timed out",
        "see that 'git ls-remote' reaches it",
    ),
)


@dataclass(frozen=True, kw_only=True)
class ConfigRepository:
    """Where the desired state is kept."""

    url: str
    branch: str
    folder: str

    def read(self, name: str) -> bytes | None:
        """A file of the folder, as it is by now."""
        with scratch("config-") as place:
            path = self._cloned(place) / self.folder / name
            return path.read_bytes() if path.is_file() else None

    def last(self) -> tuple[str, str, bool] | None:
        """The last commit in the folder: its short name, who made it, and whether that was Modelyard."""
        with scratch("config-") as place:
            where = self._cloned(place)
            if not (where / self.folder).is_dir():
                return None
            told = self._git(where, "log", "-1", "--format=%h%x00%an%x00%B", "--", self.folder)
            name, author, message = told.split("\0", 2)
            return name, author, TRAILER in message

    def change(self, made: Callable[[Path], str]) -> str:
        """Push a commit of what ``made`` does to the folder, with the message that it returns; the commit's name.

        Whoever else pushes meanwhile is no harm: it is done again on theirs. Nothing changed is no commit.
        """
        with scratch("config-") as place:
            where = self._cloned(place)
            for _ in range(_TRIES):
                message = made(where / self.folder)
                self._git(where, "add", "--all", "--", ".")
                if not self._git(where, "status", "--porcelain").strip():
                    return self._git(where, "rev-parse", "HEAD").strip()
                self._git(where, *self._author(where), "commit", "--quiet", "--message", message)
                code, said = self._tried(where, "push", "--quiet", "origin", f"HEAD:{self.branch}")
                if not code:
                    return self._git(where, "rev-parse", "HEAD").strip()
                if not re.search(
                    r"non-fast-forward|fetch first|cannot lock ref|stale info|incorrect old value", said
                ):
                    raise self._failed("push", said)
                self._git(where, "fetch", "--quiet", "--depth=50", "origin", self.branch)
                self._git(where, "reset", "--quiet", "--hard", "FETCH_HEAD")
        raise ServiceDown(f"{self._shown} is pushed to by others all the time; run it again.")

    def before(self, folder: Path, name: str) -> tuple[str, bytes] | None:
        """In a ``change``: the commit that is there, and a file as it was before that; None where it was not."""
        told = self._git(folder.parent, "log", "-2", "--format=%H", "--", f"{folder.name}/{name}").split()
        if len(told) < 2:
            return None
        code, content = self._tried(folder.parent, "show", f"{told[1]}:./{folder.name}/{name}")
        return None if code else (told[0], content.encode())

    def _cloned(self, place: Path) -> Path:
        words = (
            "clone",
            "--quiet",
            "--depth=50",
            "--branch",
            self.branch,
            "--single-branch",
            "--",
            self.url,
            "config",
        )
        self._git(place, *words)
        return place / "config"

    def _author(self, where: Path) -> list[str]:
        """Git's own, where it has one."""
        if not self._tried(where, "var", "GIT_COMMITTER_IDENT")[0]:
            return []
        return ["-c", "user.name=Modelyard", "-c", "user.email=modelyard@localhost"]

    def _git(self, where: Path, *words: str) -> str:
        code, said = self._tried(where, *words)
        if code:
            raise self._failed(next(word for word in words if word[0] != "-" and "=" not in word), said)
        return said

    def _tried(self, where: Path, *words: str) -> tuple[int, str]:
        if shutil.which("git") is None:
            raise ExtraMissing("To deploy by a config repository install 'git'.")
        environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        environ.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=10")
        try:
            done = subprocess.run(
                ["git", *words],
                cwd=where,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return 1, f"timed out after {_SECONDS} s"
        return done.returncode, done.stderr if done.returncode else done.stdout

    def _failed(self, verb: str, said: str) -> ServiceDown:
        lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("hint:")]
        told = re.sub(r"//[^/@\s]+@", "//", " / ".join(lines[:4]))[:400].rstrip(".") or "it said nothing"
        advice = next((what for pattern, what in _ADVICE if re.search(pattern, told)), "")
        return ServiceDown(f"'git {verb}' of {self._shown} failed: {told}{advice and '; ' + advice}.")

    @property
    def _shown(self) -> str:
        """Without what it may hold of a password."""
        return re.sub(r"//[^/@]+@", "//", self.url)


def replaced(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder hold these files and no others."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
