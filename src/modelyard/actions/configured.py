"""What ``modelyard.toml`` says otherwise at one git revision than at another."""

from __future__ import annotations

from pathlib import Path

from modelyard.errors import ModelyardError, SettingsError
from modelyard.project import Project
from modelyard.records.contrast import Setting
from modelyard.settings import Settings, changes, parse


def configured(project: Project, before: str, after: str) -> tuple[tuple[Setting, ...], str]:
    """The settings that differ, as committed, without the environment's; or why they cannot be told, in a clause."""
    try:
        found = changes(_at(project, before), _at(project, after))
    except ModelyardError as error:
        return (), str(error).removesuffix(".")
    return tuple(Setting(name=name, before=a, after=b) for name, (a, b) in found.items()), ""


def _at(project: Project, revision: str) -> Settings:
    from modelyard.training.history import commit, git

    name = f"{revision}:modelyard.toml"
    text = git(project.root, "show", f"{commit(project.root, revision)}:./modelyard.toml")
    if text is None:
        raise SettingsError(f"{name} is not there.")
    return parse(text, Path(name), {})
