"""Write a new project: all of it or nothing."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

from modelyard.errors import ExtraMissing, Misuse, StoreDown
from modelyard.scaffold.rows import KEY, TARGET, patients, write_table

TEMPLATES = ("classification",)
_FOLDER = Path(__file__).parent / "templates"
_SUFFIX = ".jinja"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_PINNED = ("numpy", "pandas", "scikit-learn")
_DATASET = "patients"


def create(
    folder: Path,
    *,
    name: str,
    template: str = "classification",
    ports: tuple[int, int, int] = (8101, 8102, 8103),
) -> list[Path]:
    """Make the project ``name`` in ``folder`` and return its files, sorted.

    ``ports`` are those of the environments test, staging and prod. ``folder`` may exist when it is
    empty. Raises ``Misuse`` for a folder that is in use, a name that settings would refuse, an
    unknown template or ports that clash, and ``StoreDown`` when the disk refuses; ``folder`` is
    then as it was.
    """
    _accept(folder, name, template, ports)
    folder = folder.resolve()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            project = scratch / folder.name
            _write(project, name, template, ports)
            project.replace(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise StoreDown(
            f"The project cannot be written to {folder}: {error.strerror}; nothing was left there."
        ) from error
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _accept(folder: Path, name: str, template: str, ports: tuple[int, int, int]) -> None:
    if not _NAME.fullmatch(name):
        raise Misuse(
            f"'{name}' is no name for a project: use lower-case letters, digits, '-' and '_', "
            "at most 63, with a letter first."
        )
    if name == _DATASET:
        raise Misuse(f"'{name}' is the name of the template's dataset; give the project another one.")
    if template not in TEMPLATES:
        raise Misuse(f"There is no template '{template}'; known: {', '.join(TEMPLATES)}.")
    if len(set(ports)) != 3 or not all(1 <= port <= 65535 for port in ports):
        raise Misuse(f"The ports {', '.join(map(str, ports))} must be three different ones from 1 to 65535.")
    if folder.is_dir() and not folder.is_symlink():
        if any(folder.iterdir()):
            raise Misuse(f"{folder} is not empty; choose another folder or another name.")
    elif folder.exists() or folder.is_symlink():
        raise Misuse(f"{folder} exists and is no folder; choose another one.")


def _write(project: Path, name: str, template: str, ports: tuple[int, int, int]) -> None:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    source = _FOLDER / template
    environment = Environment(
        loader=FileSystemLoader(source),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    rows = patients()
    facts = {
        "name": name,
        "ports": ports,
        "year": dt.datetime.now(dt.UTC).year,
        "requirements": [_pin(distribution) for distribution in _PINNED],
        # the largest and the smallest tumour: no split and no seed makes a model doubt these
        "benign": _features(min(rows, key=lambda row: row["worst_area"])),
        "malignant": _features(max(rows, key=lambda row: row["worst_area"])),
    }
    for file in sorted(source.rglob(f"*{_SUFFIX}")):
        inside = file.relative_to(source)
        path = project / str(inside).removesuffix(_SUFFIX).replace("NAME", name)
        path = path.with_name(".gitignore") if path.name == "gitignore" else path
        path.parent.mkdir(parents=True, exist_ok=True)
        text = environment.get_template(inside.as_posix()).render(facts)
        path.write_text(text, encoding="utf-8")
    data = project / "data"
    data.mkdir()
    write_table(data / f"{_DATASET}.csv")


def _features(row: dict[str, str | float]) -> dict[str, str | float]:
    return {name: value for name, value in row.items() if name not in (KEY, TARGET)}


def _pin(distribution: str) -> str:
    try:
        return f"{distribution}=={metadata.version(distribution)}"
    except metadata.PackageNotFoundError:
        raise ExtraMissing(
            f"A new project needs {distribution}; run 'pip install \"modelyard[yard]\"'."
        ) from None
