"""The author's own functions from a package's ``code/``, imported only after verification."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from modelyard.authors.blame import blame
from modelyard.errors import AuthorError, Tampered

_LOCK = threading.RLock()


@dataclass(frozen=True, slots=True, eq=False)
class Hooks:
    """``predict(model, rows)``, ``save(model, folder)``, ``load(folder)``; None where not written."""

    code: Path
    predict: Callable[[Any, Any], Any] | None
    save: Callable[[Any, Path], Any] | None
    load: Callable[[Path], Any] | None
    importable: Callable[[], AbstractContextManager[None]] = nullcontext
    """Within it the modules beside ``model.py`` are importable."""

    def loaded(self, folder: Path) -> Any:
        """What ``load`` makes of the files that ``save`` wrote; ``AuthorError`` when it raises."""
        if self.load is None:
            raise AuthorError(f"{self.code / 'model.py'} has no function 'load(folder)'.")
        try:
            return self.load(folder)
        except (Exception, SystemExit) as error:
            raise blame("'load' raised", error, self.code) from error


def hooks(code: Path, read: Callable[[Path], bytes] | None = None) -> Hooks:
    """Import ``model.py`` from ``code`` and pick the author's functions.

    Modules beside it are importable while it is imported and whenever one of the functions runs, and
    belong to this package alone, so that packages with modules of one name live in one process.
    ``read`` gives a source file's content, by default as it stands. Raises ``AuthorError``, and what
    ``read`` raises of ``Tampered``.
    """
    path = code / "model.py"
    if not path.is_file():
        raise AuthorError(f"There is no {path}.")
    own = _Own(code, read or Path.read_bytes)
    try:
        with own.importable():
            module = importlib.import_module("model")
    except Tampered:
        raise
    except (Exception, SystemExit) as error:
        raise blame("The code cannot be imported", error, code) from error
    predict, save, load = (own.function(module, name) for name in ("predict", "save", "load"))
    return Hooks(code, predict, save, load, own.importable)


def own_names(code: Path) -> frozenset[str]:
    """The modules and packages beside ``model.py``, by which types of the author's own are told."""
    files = {path.stem for path in code.glob("*.py")}
    packages = {path.name for path in code.iterdir() if path.is_dir()}
    # the standard library and the installed Modelyard are never meant
    return frozenset((files | packages) - set(sys.stdlib_module_names) - {"modelyard"})


class _Source(SourceFileLoader):
    """Compiled files are neither read nor written: no digest covers a ``__pycache__``."""

    read: Callable[[Path], bytes]

    def get_data(self, path: str) -> bytes:
        return type(self).read(Path(path))

    def path_stats(self, path: str) -> Mapping[str, Any]:
        raise OSError(f"{path} has no compiled form that may be used")


class _Finder:
    """Finds the source files of one folder, and of packages in it, before anything else does."""

    def __init__(self, folder: str, loader: type[_Source]) -> None:
        self._folder, self._loader = folder, loader

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        for place in [self._folder] if path is None else path:
            if place == self._folder or place.startswith(self._folder + os.sep):
                found = FileFinder(place, (self._loader, SOURCE_SUFFIXES)).find_spec(name, target)
                if found is not None:
                    return found
        return None


class _Own:
    """The modules of one package, in the interpreter's list only while its code runs."""

    def __init__(self, code: Path, read: Callable[[Path], bytes]) -> None:
        self._path = str(code.resolve())
        self._loader = type("_Held", (_Source,), {"read": staticmethod(read)})
        self._names = own_names(code)
        self._modules: dict[str, ModuleType] = {}

    @contextmanager
    def importable(self) -> Iterator[None]:
        with _LOCK:
            aside = self._take()
            sys.modules.update(self._modules)
            path, finders = sys.path[:], sys.meta_path[:]
            sys.path.insert(0, self._path)
            sys.meta_path.insert(0, _Finder(self._path, self._loader))
            try:
                yield
            finally:
                sys.path[:], sys.meta_path[:] = path, finders
                self._modules = self._take()
                sys.modules.update(aside)

    def function(self, module: ModuleType, name: str) -> Callable[..., Any] | None:
        found = getattr(module, name, None)
        if not callable(found):
            return None
        ask: Callable[..., Any] = found

        @functools.wraps(ask)
        def call(*arguments: Any) -> Any:
            with self.importable():
                return ask(*arguments)

        return call

    def _take(self) -> dict[str, ModuleType]:
        names = [name for name in sys.modules if name.partition(".")[0] in self._names]
        return {name: sys.modules.pop(name) for name in names}
