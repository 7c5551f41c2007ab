"""What a transform is, as a dataset version records it beside its sources, without a library of frames."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from modelyard.errors import DataRefused, SettingsError, SourceMissing
from modelyard.records.dataset import SourceFile
from modelyard.settings import DataSettings

MARK = "transform"
_DYNAMIC = {"importlib", "__import__", "exec", "eval", "runpy"}


def definition(settings: DataSettings, root: Path) -> tuple[SourceFile, ...]:
    """Every setting of the transform and what its files hold: the query, the function and the modules of the
    project that it imports. Empty without a transform. Raises ``SourceMissing`` and ``SettingsError``.
    """
    transform = settings.transform
    if transform is None:
        return ()
    said = msgspec.json.encode((transform, list(settings.inputs)), order="sorted")
    found = [
        SourceFile(
            path=MARK, size=len(said), sha256=hashlib.sha256(said).hexdigest(), mark=f"{MARK} settings"
        )
    ]
    if transform.sql is not None and is_file(transform.sql):
        found.append(_file(root / transform.sql, root, "sql"))
    if transform.python is not None:
        path, _ = function_of(transform.python, root)
        found += (_file(one, root, "python") for one in sorted(_imported(path, root)))
    return tuple(found)


def differs(settings: DataSettings, root: Path, made_of: tuple[SourceFile, ...]) -> bool:
    """Whether what was made of those sources and that transform had another transform than is set now."""
    then = tuple(one for one in made_of if one.mark.startswith(f"{MARK} "))
    return then != definition(settings, root)


def is_file(sql: str) -> bool:
    """Whether the setting names a file instead of being the query."""
    return sql.endswith(".sql") and "\n" not in sql and not sql.lstrip().upper().startswith("SELECT ")


def query_of(sql: str, root: Path) -> str:
    """The text of the query."""
    if not is_file(sql):
        return sql
    try:
        return (root / sql).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{sql} is not UTF-8; save it so.") from None
    except OSError as error:
        raise _unreadable(root / sql, root, error) from None


def function_of(python: str, root: Path) -> tuple[Path, str]:
    """The file and the name of ``data/clean.py:clean``."""
    file, colon, name = python.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise SettingsError(f"'{python}' names no function; write python = 'data/clean.py:clean'.")
    if not (root / file).is_file():
        raise SourceMissing(f"There is no file '{file}' in {root}; put it there or change 'python'.")
    return root / file, name


def _imported(path: Path, root: Path) -> set[Path]:
    """The file and the project's modules that it imports, at any depth.

    What is imported is read from the code. Where the code makes names of modules as it runs, all Python
    files of its folder count.
    """
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        try:
            tree = ast.parse(one.read_bytes())
        except OSError as error:
            raise _unreadable(one, root, error) from None
        except (SyntaxError, ValueError):  # the author hears of it when it is run
            continue
        names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        asked = list(_asked(tree))
        if _DYNAMIC & (names | {name.partition(".")[0] for name, _ in asked}):
            waiting += path.parent.rglob("*.py")
        for name, level in asked:
            folders = [path.parent, root] if not level else [_up(one, level)]
            waiting += (file for folder in folders for file in _modules(folder, name))
    return found


def _asked(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """(dotted name, dots before it) of each import, and of each name imported from one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            begin = f"{node.module}." if node.module else ""
            yield from ((f"{begin}{alias.name}", node.level) for alias in node.names)


def _up(path: Path, level: int) -> Path:
    return path.parents[level - 1] if level <= len(path.parents) else path.parent


def _modules(folder: Path, dotted: str) -> Iterator[Path]:
    """The files below ``folder`` that importing ``dotted`` runs; its last part may be no module."""
    for part in dotted.split("."):
        if (file := folder / f"{part}.py").is_file():
            yield file
        folder = folder / part
        if (file := folder / "__init__.py").is_file():
            yield file


def _file(path: Path, root: Path, mark: str) -> SourceFile:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, root, error) from None
    name = path.relative_to(root) if path.is_relative_to(root) else path
    digest = hashlib.sha256(content).hexdigest()
    return SourceFile(path=name.as_posix(), size=len(content), sha256=digest, mark=f"{MARK} {mark}")


def _unreadable(path: Path, root: Path, error: OSError) -> DataRefused | SourceMissing:
    name = path.relative_to(root) if path.is_relative_to(root) else path
    if isinstance(error, FileNotFoundError):
        return SourceMissing(f"There is no file '{name}' in {root}; put it there or change the transform.")
    return DataRefused(f"{name} cannot be read: {error.strerror}; give read permission on it.")
