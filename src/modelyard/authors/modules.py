"""A folder's own modules: run apart from everything else that is imported."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard.authors.blame import blame

_ISOLATION = threading.RLock()


def execute(
    path: Path, source: bytes, modules: dict[str, types.ModuleType], *, what: str
) -> types.ModuleType:
    """Run ``source``, the content of ``path``, as a module.

    ``modules`` gains it and every module of its folder that it imports; they stay in no list of the
    interpreter, so a second run sees every edit and two folders may have files of one name. Raises
    ``AuthorError``, a sentence that begins with ``what``.
    """
    module = types.ModuleType(path.stem)
    module.__file__ = str(path.resolve())
    if path.stem not in sys.stdlib_module_names:
        modules[path.stem] = module
    with isolated(path.parent, modules):
        try:
            # Compiled here: a cached .pyc of an edit within the same second would be stale.
            exec(compile(source, module.__file__, "exec"), module.__dict__)
        except (Exception, SystemExit) as error:
            raise blame(what, error, path.parent) from error
    return module


@contextmanager
def isolated(folder: Path, modules: dict[str, types.ModuleType]) -> Iterator[None]:
    """The folder first on ``sys.path`` and its ``modules`` in ``sys.modules``, both taken back after.

    One folder at a time in a process: another thread waits.
    """
    place = str(folder.resolve())
    with _ISOLATION:
        path, bytecode, here = sys.path[:], sys.dont_write_bytecode, Path.cwd()
        own = {*modules, *_names(folder)}
        aside = _taken(own)
        sys.modules.update(modules)
        sys.path.insert(0, place)
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        try:
            yield
        finally:
            modules |= _taken(own)
            sys.modules.update(aside)
            sys.path[:], sys.dont_write_bytecode = path, bytecode
            os.chdir(here)


def _taken(own: set[str]) -> dict[str, types.ModuleType]:
    """Modules of these names, and what is below them, out of the interpreter's list.

    That holds thousands, and a study asks at every fit: it is gone through only where there is a package.
    """
    found = own & sys.modules.keys()
    if any(hasattr(sys.modules[name], "__path__") for name in found):
        found = {name for name in sys.modules if name.partition(".")[0] in own}
    return {name: sys.modules.pop(name) for name in found}


def _names(folder: Path) -> set[str]:
    """Top-level modules that the folder can be asked for, and that nobody else imported."""
    files = {p.stem for p in folder.glob("*.py")}
    packages = {p.name for p in folder.iterdir() if p.is_dir() and any(p.rglob("*.py"))}
    # A package's folder carries a modelyard of its own; here the installed one is meant.
    return {n for n in files | packages if n.isidentifier() and n not in sys.stdlib_module_names} - {
        "modelyard"
    }
