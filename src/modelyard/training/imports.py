"""Which code of the project a model imports, read from its files without running them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelyard.errors import AuthorError, SettingsError


def shared_code(
    folder: Path, root: Path, *, places: Sequence[str], include: Sequence[str] = ()
) -> dict[str, Path]:
    """What the model in ``folder`` imports from ``places`` of the project at ``root``, and what that imports.

    Each file by its path below the place, where ``import`` finds it when it stands beside ``model.py``. Every
    ``.py`` file of the folder is read for ``import``, ``from``, ``importlib.import_module`` and
    ``__import__`` of literal names; what stands under ``if TYPE_CHECKING`` is not imported. Modules of the
    folder itself, the standard library and Modelyard come first, as they do when the code runs.
    ``include`` are globs of further files, such as a module whose name is made up at run time or a data
    file. Raises ``SettingsError`` for one that matches no file.
    """
    walk = _Walk(folder, [place for name in places if (place := root / name).is_dir()])
    for path in sorted(folder.rglob("*.py")):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            walk.read(path, package="")
    for pattern in include:
        walk.add(pattern, root)
    return dict(sorted(walk.files.items()))


@dataclass(frozen=True)
class _Found:
    path: Path | None
    """None for a folder that is a package without ``__init__.py``."""
    place: Path


class _Walk:
    def __init__(self, folder: Path, places: list[Path]) -> None:
        self._folder, self._places = folder, places
        self._own: dict[str, bool] = {}
        self._seen: set[str] = set()
        self.files: dict[str, Path] = {}

    def read(self, path: Path, *, package: str) -> None:
        """Take in what the file imports."""
        try:
            tree = ast.parse(path.read_bytes(), str(path))
        except (SyntaxError, ValueError):
            return  # running it will say so, with the line
        except OSError as error:
            raise AuthorError(f"{path} cannot be read: {error.strerror}.") from None
        for name in _imported(tree, package):
            self._take(name)

    def add(self, pattern: str, root: Path) -> None:
        """Take in the files that an entry of ``include`` names."""
        found = [path for path in sorted(root.glob(pattern)) if path.is_file()]
        if not found:
            raise SettingsError(
                f"'include': no file of the project matches '{pattern}'; correct it or take it out."
            )
        for path in found:
            if path.is_relative_to(self._folder):
                continue
            within = [place for place in self._places if path.is_relative_to(place)]
            if not within:
                raise SettingsError(f"'include': {path} is in none of the folders that 'project.code' names.")
            self._keep(path, max(within, key=lambda place: len(place.parts)))

    def _keep(self, path: Path, place: Path) -> None:
        inside = path.relative_to(place)
        if inside.as_posix() in self.files:
            return
        if (self._folder / inside).exists():
            raise SettingsError(
                f"{path} and {self._folder / inside} would be one file in a package; rename one of them."
            )
        self.files[inside.as_posix()] = path
        if path.suffix == ".py":
            self.read(path, package=".".join(inside.parts[:-1]))

    def _take(self, name: str) -> None:
        """The module and the packages above it; nothing when it is none of the project's."""
        if name in self._seen:
            return
        self._seen.add(name)
        if self._is_own(name.partition(".")[0]):
            return
        found = self._resolve(name)
        if found and found[-1].path is not None:  # a folder alone holds no code
            for module in found:
                if module.path is not None:
                    self._keep(module.path, module.place)

    def _is_own(self, top: str) -> bool:
        """Whether the name means something that comes before the project's shared code."""
        if top not in self._own:
            at = self._folder / top
            here = at.with_name(f"{top}.py").is_file() or (at.is_dir() and any(at.rglob("*.py")))
            self._own[top] = here or top in sys.stdlib_module_names or top == "modelyard"
        return self._own[top]

    def _resolve(self, name: str) -> list[_Found]:
        """The packages from the top down to the module; what follows a module is a name in it."""
        found: list[_Found] = []
        places = [(place, place) for place in self._places]
        for part in name.split("."):
            module = _look(places, part)
            if module is None:
                break
            found.append(module)
            places = [(at / part, place) for at, place in places if (at / part).is_dir()]
            if module.path is not None and module.path.name != "__init__.py":
                break
        return found


def _look(places: list[tuple[Path, Path]], part: str) -> _Found | None:
    """As Python does: the first regular package or module, else a folder without ``__init__.py``."""
    if not part:
        return None
    for at, place in places:
        for path in (at / part / "__init__.py", at / f"{part}.py"):
            if path.is_file():
                return _Found(path, place)
    return next((_Found(None, place) for at, place in places if (at / part).is_dir()), None)


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Full names of all that may be a module."""
    queue: list[ast.AST] = [tree]
    while queue:
        node = queue.pop()
        if isinstance(node, ast.If) and _only_for_types(node.test):
            queue += node.orelse
            continue
        queue += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node.module or "", node.level, package)
            if base is not None:
                yield from [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and (called := _called(node, package)):
            yield called
        elif isinstance(node, ast.Assign) and package:
            yield from (f"{package}.{name}" for name in _exported(node))


def _only_for_types(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _absolute(module: str, level: int, package: str) -> str | None:
    """The full name; None for a relative one that leaves every package or is of the model's folder."""
    if not level:
        return module
    parts = package.split(".") if package else []
    if level > len(parts):
        return None
    return ".".join([*parts[: len(parts) - level + 1], *filter(None, [module])])


def _called(node: ast.Call, package: str) -> str | None:
    """The literal name that ``import_module`` or ``__import__`` is called with."""
    function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if function not in ("import_module", "__import__"):
        return None
    given = [node.args[0] if node.args else None, node.args[1] if len(node.args) > 1 else None]
    for word in node.keywords:
        given = [word.value if word.arg == n else g for n, g in zip(("name", "package"), given, strict=True)]
    name, base = (_literal(one) for one in given)
    if name is None or function == "__import__":
        return name
    bare = name.lstrip(".")
    return _absolute(bare, len(name) - len(bare), package if base is None else base)


def _literal(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _exported(node: ast.Assign) -> Iterator[str]:
    """Names in a literal ``__all__``, which ``from package import *`` imports."""
    if any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
        values = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else []
        yield from (text for value in values if (text := _literal(value)))
