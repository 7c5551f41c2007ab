"""``ci report``: what a pull request does to the models, where its readers are."""

from __future__ import annotations

from pathlib import Path

import msgspec

from modelyard.actions.configured import configured
from modelyard.actions.contrast import contrast
from modelyard.actions.sides import Side, sides
from modelyard.errors import ForgeDenied, ForgeDown, StoreDown, UnknownName
from modelyard.ports import Forge
from modelyard.project import Project
from modelyard.records.contrast import Contrasts

_MARK = "[//]: # (modelyard report)"
"""A comment that holds it is ours; no rendering shows it."""


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """``passed`` is None where nothing was tested; ``notes`` are what could not be posted, and why."""

    passed: bool | None
    sentence: str
    text: str
    posted: bool = False
    notes: tuple[str, ...] = ()


def report(
    project: Project, *, against: str, head: str = "HEAD", forge: Forge | None = None, token: bool = False
) -> Reported:
    """Hold the models of a revision against those of another, and post it where the pipeline is of a pull request.

    Without a ``token`` nothing is posted. What the token may not do is told in ``notes`` and fails nothing, since the
    pipelines of others' copies have none that may. Raises ``UnknownName`` for a revision that is not there, and
    ``ForgeDown``.
    """
    project.tell(f"comparing {head} with {against}")
    old, new = (_sides(project, ref) for ref in (against, head))
    new = {name: side for name, side in new.items() if not side.stale}
    untrained = sorted(project.settings.models.keys() - new.keys())
    names = sorted((old.keys() | new.keys()) - {*untrained})
    settings, unknown = configured(project, against, head)
    found = Contrasts(
        before=against,
        after=head,
        models=tuple(contrast(project, old.get(name), new.get(name)) for name in names),
        settings=settings,
        settings_unknown=unknown,
    )
    told = _told(found, untrained)
    if forge is None or not token:
        text = _page(found, told, None)
        return msgspec.structs.replace(told, text=text)
    return _posted(found, told, forge)


def keep(told: Reported, path: Path) -> None:
    """Write the Markdown. Raises ``StoreDown``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(told.text, encoding="utf-8")
    except OSError as error:
        raise StoreDown(f"{path} cannot be written: {error.strerror}.") from None


def _sides(project: Project, ref: str) -> dict[str, Side]:
    """Of a revision of which nothing is known, no models. A branch may be called like an environment."""
    from modelyard.training.history import commit

    if not commit(project.root, ref):
        raise UnknownName(f"'{ref}' is no git revision here; fetch it, or name another with --against.")
    try:
        return sides(project, ref, "revision")
    except UnknownName:
        return {}


def _told(found: Contrasts, untrained: list[str]) -> Reported:
    models = [one for one in found.models if one.after]
    if untrained or not models:
        which = f" of {', '.join(untrained)}" if untrained else ""
        words = f"no training{which} as in {found.after} has finished; the pipeline's log says why"
        return Reported(passed=False, sentence=words, text="")
    unmet = [one.model for one in models if one.after and one.after.passed is False]
    tested = [one for one in models if one.after and one.after.passed is not None]
    changed = sum(not one.same for one in models)
    count = f"{len(models)} model{'s' if len(models) > 1 else ''}, {changed or 'none'} changed"
    outcome = f"gates not met: {', '.join(unmet)}" if unmet else "gates met" if tested else "none tested"
    return Reported(passed=not unmet if tested else None, sentence=f"{count}; {outcome}", text="")


def _page(found: Contrasts, told: Reported, forge: Forge | None) -> str:
    from modelyard.render import contrast_pages

    def place(name: str, content: bytes) -> str | None:
        if forge is None:
            return None
        try:
            return forge.picture(name, content)
        except ForgeDown:
            return None

    head = f"{_MARK}\n\n## Modelyard: {told.sentence}\n\n"
    same = [one.model for one in found.models if one.same]
    if same:
        head += f"The same to the bit: {', '.join(same)}.\n\n"
    changed = msgspec.structs.replace(found, models=tuple(one for one in found.models if not one.same))
    body = contrast_pages.text(changed, place, "png", below="##") if changed.models else ""
    foot = f"\n[The pipeline]({forge.page}) has the whole reports.\n" if forge and forge.page else ""
    return _cut(head + body, forge.longest - len(foot) if forge else None) + foot


def _cut(text: str, longest: int | None) -> str:
    """At the beginning of a part, where there is one."""
    if longest is None or len(text) <= longest:
        return text
    end = "\n\nThe forge takes no longer comment; the rest is in the pipeline's reports.\n"
    text = text[: longest - len(end)]
    part = max(text.rfind("\n### "), text.rfind("\n#### "), text.rfind("\n<details>"))
    return (text[:part] if part > len(text) // 2 else text) + end


def _posted(found: Contrasts, told: Reported, forge: Forge) -> Reported:
    text = _page(found, told, forge if forge.request else None)
    notes: list[str] = []
    posted = False
    if forge.summary:
        with Path(forge.summary).open("a", encoding="utf-8") as file:
            file.write(text)
    try:
        if forge.request:
            forge.comment(text, _MARK)
            posted = True
    except ForgeDenied as denied:
        notes.append(f"no comment was made: {denied}")
    try:
        forge.state(told.passed is not False, told.sentence)
    except ForgeDenied as denied:
        notes.append(f"the commit's state was not set: {denied}")
    return msgspec.structs.replace(told, text=text, posted=posted, notes=tuple(notes))
