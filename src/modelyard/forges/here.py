"""Which forge's pipeline this is, told from the variables that each one sets."""

from __future__ import annotations

from collections.abc import Mapping

from modelyard.errors import SettingsError
from modelyard.forges.azure import Azure
from modelyard.forges.bitbucket import Bitbucket
from modelyard.forges.github import GitHub
from modelyard.forges.gitlab import GitLab
from modelyard.ports import Forge

_MARKS: dict[str, type[GitHub] | type[GitLab] | type[Bitbucket] | type[Azure]] = {
    "GITHUB_ACTIONS": GitHub,
    "GITLAB_CI": GitLab,
    "BITBUCKET_BUILD_NUMBER": Bitbucket,
    "TF_BUILD": Azure,
}


def here(environ: Mapping[str, str]) -> Forge | None:
    """None outside of a pipeline. Raises ``SettingsError`` when a variable is missing that the forge always sets."""
    for mark, kind in _MARKS.items():
        if environ.get(mark):
            try:
                return kind(environ)
            except KeyError as missing:
                raise SettingsError(
                    f"{mark} says that this is a pipeline of {kind.name}, but {missing.args[0]} is not set; "
                    "run it in a pipeline, or unset that variable."
                ) from None
    return None
