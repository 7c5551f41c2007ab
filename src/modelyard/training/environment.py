"""A model's requirements locked with hashes, and virtual environments made of locks (by uv)."""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from modelyard.authors.blame import one_line, shown
from modelyard.errors import AuthorError, ExtraMissing, StoreDown
from modelyard.training.lockfile import key, told, written
from modelyard.training.requirements import FILE, pins

LOCK = f"{FILE}.lock"
_OF = "# Locked by modelyard from requirements.model, sha256 "
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_SEALING = (
    "cryptography",
    "msgspec",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "scikit-learn",
    "skl2onnx",
    "skops",
)
_READY = "ready"
_PATIENCE = 15.0
"""Seconds for the hashes of what works without them."""
_COMPILE = (
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-annotate",
    "--no-header",
)


class Python(NamedTuple):
    path: str
    version: str


THIS = Python(sys.executable, platform.python_version())


def found(version: str) -> Python | None:
    """The Python of exactly that version on this machine; None where there is none, or no uv to find it."""
    if version == THIS.version:
        return THIS
    words = ["python", "find", "--no-project", "--no-python-downloads", f"=={version}"]
    try:
        path = _uv(words, "").strip()
    except (AuthorError, ExtraMissing):
        return None
    return Python(path, version)


def lock(folder: Path) -> str:
    """The content of ``requirements.model.lock``, made anew when ``requirements.model`` has changed since.

    Every distribution with its version and the hashes of its files, and no address of an index. Raises
    ``AuthorError`` naming what cannot be resolved.
    """
    path, source = folder / LOCK, folder / FILE
    pins(source)
    wanted = source.read_bytes()
    heading = f"{_OF}{hashlib.sha256(wanted).hexdigest()}\n"
    try:
        kept = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        kept = ""
    if kept.startswith(heading):
        return kept
    resolved = heading + _compiled([str(source)], f"{shown(source)} cannot be locked")
    draft = path.with_suffix(".draft")
    try:
        draft.write_text(resolved, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise StoreDown(f"{path} cannot be written: {error.strerror}.") from None
    return resolved


def versions(locked: str) -> dict[str, str]:
    """Name to version of everything in a lock, sorted by name."""
    return dict(
        sorted((re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in _PIN.findall(locked))
    )


def pinned(versions: Mapping[str, str], home: Path, *, python: Python = THIS) -> str:
    """A lock, with hashes, of exactly these versions by name."""
    wanted = "".join(f"{name}=={version}\n" for name, version in versions.items())
    return extended(wanted, (), home, python=python, what="The versions cannot be locked")


def listed(pins: Iterable[str], home: Path) -> str:
    """A lock of these exact versions and of nothing that they need, from the package index, which is asked once.

    Raises ``AuthorError`` when it has not all of them or does not answer soon.
    """
    wanted = "".join(f"{pin}\n" for pin in sorted(pins))
    home.mkdir(parents=True, exist_ok=True)
    path = home / f"{hashlib.sha256(wanted.encode()).hexdigest()[:16]}.hashes"
    if not path.exists():
        source, draft = path.with_suffix(".pins"), path.with_suffix(f".{os.getpid()}")
        source.write_text(wanted)
        words = ["pip", "compile", "--quiet", "--no-deps", *_COMPILE, str(source)]
        draft.write_text(_uv(words, "the package index tells none", seconds=_PATIENCE))
        draft.replace(path)
    return path.read_text()


def extended(
    locked: str,
    others: Sequence[str],
    home: Path,
    *,
    python: Python = THIS,
    what: str = "The model's requirements do not go together with what packaging needs",
) -> str:
    """A lock of the same versions and of what ``others`` need beside them; ``what`` begins the sentence of a failure."""
    home.mkdir(parents=True, exist_ok=True)
    elsewhere = [] if python == THIS else [python.version]
    name = hashlib.sha256("\n".join([locked, *others, *elsewhere]).encode()).hexdigest()[:16]
    path = home / f"{name}.lock"
    if not path.exists():
        wanted = home / f"{name}.in"
        wanted.write_text(
            "".join(f"{n}=={v}\n" for n, v in versions(locked).items()) + "\n".join(others) + "\n"
        )
        draft = path.with_suffix(f".{os.getpid()}")
        compiled = _compiled([str(wanted)], what, python)
        every: dict[str, tuple[str, ...]] = {key(*pin): () for pin in versions(compiled).items()}
        draft.write_text(
            written(every | told(compiled) | told(locked))
        )  # a lock's hashes go before an index's
        draft.replace(path)
    return path.read_text()


def sealing() -> list[str]:
    """What sealing and opening a package need beside the model's own requirements, as Modelyard asks for it."""
    from packaging.requirements import Requirement

    asked = (Requirement(line) for line in metadata.requires("modelyard") or ())
    return sorted({f"{r.name}{r.specifier}" for r in asked if r.name in _SEALING})


def made(locked: str, home: Path, *, python: Python = THIS) -> Path:
    """The Python of the virtual environment that holds exactly the lock, made in ``home`` at its first use.

    Two that ask at once make one; one whose making was killed is made anew. Raises ``AuthorError`` with
    uv's reason: no network, a hash that does not match, a distribution that does not build.
    """
    identity = f"{python.version} {platform.platform()}\n{locked}"
    place = home / hashlib.sha256(identity.encode()).hexdigest()[:16]
    binary = place / "bin" / "python"
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{place.name}.making").open("ab") as making:
        fcntl.flock(making, fcntl.LOCK_EX)
        if (place / _READY).exists() and binary.exists():
            (place / _READY).touch()  # when it was used last
            return binary
        wanted = home / f"{place.name}.txt"
        wanted.write_text(locked, encoding="utf-8")
        what = "The model's environment cannot be made"
        _uv(["venv", "--quiet", "--clear", "--no-project", "--python", python.path, str(place)], what)
        install = ["pip", "install", "--quiet", "--compile-bytecode"]  # since no training writes any
        _uv([*install, "--python", str(binary), "--require-hashes", "-r", str(wanted)], what)
        (place / _READY).touch()
    return binary


def idle(home: Path, before: dt.datetime) -> list[tuple[Path, dt.datetime]]:
    """Environments in ``home`` that were not used since ``before``, each with when it was."""
    found = []
    for place in sorted(home.iterdir()) if home.is_dir() else ():
        if place.is_dir() and not place.name.startswith("."):
            mark = place / _READY
            used = dt.datetime.fromtimestamp((mark if mark.exists() else place).stat().st_mtime, dt.UTC)
            if used < before:
                found.append((place, used))
    return found


def discard(place: Path) -> None:
    """Take an environment away, unless somebody makes it at this moment; it is made anew when it is needed."""
    with (place.parent / f"{place.name}.making").open("ab") as making:
        try:
            fcntl.flock(making, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        (place / _READY).unlink(missing_ok=True)  # first: one that is there in part is not ready
        shutil.rmtree(place, ignore_errors=True)
        place.with_name(f"{place.name}.txt").unlink(missing_ok=True)


def _compiled(sources: list[str], what: str, python: Python = THIS) -> str:
    return _uv(["pip", "compile", "--quiet", "--python", python.path, *_COMPILE, *sources], what)


def _uv(words: list[str], what: str, *, seconds: float | None = None) -> str:
    """What uv says; within ``seconds`` it may try an index once."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    environ = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")}
    if seconds:
        environ = {"UV_HTTP_RETRIES": "0"} | environ
    try:
        done = subprocess.run(
            [uv, *words], capture_output=True, text=True, env=environ, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise AuthorError(f"{what}: it did not answer within {seconds:g} seconds.") from None
    except FileNotFoundError:
        raise ExtraMissing(
            "An environment of its own is made by uv, which is not here; run 'pip install \"modelyard[venv]\"'."
        ) from None
    if done.returncode:
        raise AuthorError(f"{what}: {_reason(done.stderr)}.")
    return done.stdout


def _reason(said: str) -> str:
    """uv's words without its drawings, in one line; addresses of an index are nobody's business."""
    text = one_line(re.sub(r"[×│├╰─▶]+|https?://\S+", " ", said))
    return text.removeprefix("error: ").rstrip(".: ") or "uv gave no reason"
