"""``diff``: how one thing of the yard differs from another."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import quote

from modelyard.actions.configured import configured
from modelyard.actions.contrast import contrast
from modelyard.actions.difference import difference
from modelyard.actions.sides import kind, sides
from modelyard.errors import Misuse, StoreDown, UnknownName
from modelyard.project import Project
from modelyard.records.contrast import Contrasts
from modelyard.records.difference import Difference

Images = Literal["svg", "png"]


def diff(project: Project, before: str, after: str) -> Difference | Contrasts:
    """Of two dataset versions their ``Difference``; of runs, versions, environments and git revisions the models of both.

    A model of one side only is told as such, unless one reference names a single model. Of two revisions the settings
    that differ are told too. Raises ``Misuse`` for a
    dataset beside a model, ``UnknownName`` for what is not there.
    """
    kinds = kind(project, before), kind(project, after)
    if kinds == ("dataset", "dataset"):
        return difference(project, before, after)
    if "dataset" in kinds:
        data, other = (before, after) if kinds[0] == "dataset" else (after, before)
        raise Misuse(f"'{data}' is a dataset and '{other}' is not; compare a dataset version with another.")
    old, new = sides(project, before, kinds[0]), sides(project, after, kinds[1])
    if kinds == ("model", "model"):
        pairs = [(next(iter(old.values())), next(iter(new.values())))]
        return Contrasts(before=before, after=after, models=(contrast(project, *pairs[0]),))
    names = sorted(old.keys() | new.keys())
    if "model" in kinds:  # the other side may hold many
        names = list(old if kinds[0] == "model" else new)
        if names[0] not in old or names[0] not in new:
            raise UnknownName(
                f"There is no {names[0]} in '{after if names[0] in old else before}' to compare with."
            )
    found = tuple(contrast(project, old.get(name), new.get(name)) for name in names)
    settings, unknown = configured(project, before, after) if kinds == ("revision", "revision") else ((), "")
    return Contrasts(before=before, after=after, models=found, settings=settings, settings_unknown=unknown)


def write(
    found: Contrasts, *, page: Path | None = None, text: Path | None = None, images: Images = "svg"
) -> list[Path]:
    """Write an HTML page, and Markdown with its pictures in a folder beside it; returns what was written.

    The folder is called like the Markdown file, with ``-images``. Raises ``StoreDown``.
    """
    from modelyard.render import contrast_pages

    files: dict[Path, bytes] = {}
    if page is not None:
        files[page] = contrast_pages.page(found).encode()
    if text is not None:
        folder = text.with_name(f"{text.stem}-images")

        def beside(name: str, content: bytes) -> str:
            files[folder / name] = content
            return f"{quote(folder.name)}/{name}"

        files[text] = contrast_pages.text(found, beside, images).encode()
    for path, content in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise StoreDown(f"{path} cannot be written: {error.strerror or error}.") from None
    return list(files)
