"""A model's folder as functions: imported apart from everything else, and blamed by line."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelyard import authoring
from modelyard.authors.blame import shown
from modelyard.authors.modules import execute, isolated
from modelyard.errors import AuthorError


@dataclass(frozen=True)
class ModelCode:
    """What a folder's ``model.py`` defines.

    ``predict``, ``save`` and ``load`` find the folder's helper files whenever they are called;
    ``train`` needs ``importable()`` around it.
    """

    folder: Path
    train: Callable[[authoring.TrainingData, authoring.Params], object]
    predict: Callable[..., object] | None
    save: Callable[..., object] | None
    load: Callable[..., object] | None
    space: Mapping[str, authoring.Space]
    _modules: dict[str, types.ModuleType] = field(repr=False)

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Inside, ``import model`` and imports of its helper files find this folder's.

        Needed to train, and to pickle or unpickle objects of classes that the folder defines.
        One folder at a time in a process: another thread waits.
        """
        with isolated(self.folder, self._modules):
            yield


def load(folder: Path) -> ModelCode:
    """Import ``model.py`` of ``folder`` anew and check what it defines.

    Its modules stay in no list of the interpreter, so a second load sees every edit and two
    models may have helper files of one name. Raises ``AuthorError`` with file, line and code.
    """
    module, modules = run(folder, "model")
    train = getattr(module, "train", None)
    path = folder / "model.py"
    if not callable(train):
        raise AuthorError(
            f"{shown(path)} defines no function 'train'; add 'def train(data, params)' that returns the model."
        )
    _two_arguments(train, path)
    optional: dict[str, Callable[..., object] | None] = {}
    for name in ("predict", "save", "load"):
        function = getattr(module, name, None)
        if function is not None and not callable(function):
            raise AuthorError(f"'{name}' in {shown(path)} is no function; rename it.")
        optional[name] = _inside(folder, modules, function) if function else None
    if optional["save"] is None and optional["load"] is not None:
        raise AuthorError(f"{shown(path)} defines 'load' without 'save'; define both or neither.")
    if optional["save"] is not None and optional["load"] is None:
        raise AuthorError(f"{shown(path)} defines 'save' without 'load'; define both or neither.")
    return ModelCode(folder, train, **optional, space=_space(module, path), _modules=modules)


def run(folder: Path, name: str) -> tuple[types.ModuleType, dict[str, types.ModuleType]]:
    """Run ``name.py`` of ``folder`` as a module; returns it and every module of the folder that it imported."""
    path = folder / f"{name}.py"
    try:
        source = path.read_bytes()
    except FileNotFoundError:
        raise AuthorError(f"There is no {shown(path)}; a model's folder needs one.") from None
    except OSError as error:
        raise AuthorError(f"{shown(path)} cannot be read: {error.strerror}.") from None
    modules: dict[str, types.ModuleType] = {}
    module = execute(path, source, modules, what="The code cannot be imported")
    return module, modules


def _inside(
    folder: Path, modules: dict[str, types.ModuleType], function: Callable[..., object]
) -> Callable[..., object]:
    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> object:
        with isolated(folder, modules):
            return function(*arguments, **named)

    return call


def _two_arguments(train: Callable[..., object], path: Path) -> None:
    try:
        inspect.signature(train).bind(None, None)
    except TypeError:
        raise AuthorError(
            f"'train' in {shown(path)} must take two arguments, 'def train(data, params)', "
            f"but is 'train{inspect.signature(train)}'."
        ) from None
    except ValueError:  # a compiled callable without a signature
        return


def _space(module: types.ModuleType, path: Path) -> dict[str, authoring.Space]:
    space = getattr(module, "SPACE", {})
    if not isinstance(space, Mapping):
        raise AuthorError(
            f"SPACE in {shown(path)} is a {type(space).__name__}; write a dict of name to my.uniform(...) and the like."
        )
    for name, entry in space.items():
        if not isinstance(name, str) or not isinstance(entry, authoring.Space):
            raise AuthorError(
                f"SPACE[{name!r}] in {shown(path)} is {entry!r}; "
                "write my.uniform, my.log_uniform, my.integer or my.choice."
            )
    return dict(space)
