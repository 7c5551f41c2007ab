"""The author's own functions from a package's ``code/``, imported only after verification."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from modelyard.errors import AuthorError

_LOCK = threading.RLock()


@dataclass(frozen=True, slots=True, eq=False)
class Hooks:
    """``predict(model, rows)``, ``save(model, folder)``, ``load(folder)``; None where not written."""

    code: Path
    predict: Callable[[Any, Any], Any] | None
    save: Callable[[Any, Path], Any] | None
    load: Callable[[Path], Any] | None

    def loaded(self, folder: Path) -> Any:
        """What ``load`` makes of the files that ``save`` wrote; ``AuthorError`` when it raises."""
        if self.load is None:
            raise AuthorError(f"{self.code / 'model.py'} has no function 'load(folder)'.")
        try:
            with alone(self.code):
                return self.load(folder)
        except Exception as error:
            raise AuthorError(f"'load' in model.py raised {type(error).__name__}: {error}") from error


def hooks(code: Path) -> Hooks:
    """Import ``model.py`` from ``code`` and pick the author's functions.

    Modules beside it are importable while it is imported and belong to this package alone, so
    that two packages with modules of one name live in one process. Raises ``AuthorError``.
    """
    path = code / "model.py"
    name = f"modelyard_package_{abs(hash(str(code.resolve()))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise AuthorError(f"There is no {path}.")
    module = importlib.util.module_from_spec(spec)
    try:
        with alone(code):
            sys.modules[name] = module
            spec.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(name, None)
        raise AuthorError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return Hooks(code, _function(module, "predict"), _function(module, "save"), _function(module, "load"))


@contextmanager
def alone(code: Path) -> Iterator[None]:
    """``code`` is importable; what is imported from it is forgotten afterwards.

    Neither read nor written: compiled files, since a ``__pycache__`` is covered by no digest.
    """
    with _LOCK:
        path, before = str(code.resolve()), set(sys.modules)
        prefix, write = sys.pycache_prefix, sys.dont_write_bytecode
        sys.path.insert(0, path)
        sys.pycache_prefix, sys.dont_write_bytecode = "/dev/null/modelyard", True
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.pycache_prefix, sys.dont_write_bytecode = prefix, write
            sys.path.remove(path)
            for name in set(sys.modules) - before:
                if str(getattr(sys.modules[name], "__file__", None) or "").startswith(f"{path}/"):
                    del sys.modules[name]


def _function(module: ModuleType, name: str) -> Callable[..., Any] | None:
    found = getattr(module, name, None)
    return found if callable(found) else None
