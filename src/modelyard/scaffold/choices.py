"""What a person chooses of a new project."""

from __future__ import annotations

import datetime as dt
import re
from typing import Literal, get_args

import msgspec

from modelyard.errors import Misuse

Template = Literal["classification", "regression", "timeseries", "blank"]
System = Literal["github", "gitlab", "bitbucket", "azure", "jenkins"]
Flow = Literal["trunk", "branches"]
Licence = Literal["mit", "bsd-3-clause", "apache-2.0", "none"]
DocsLicence = Literal["ogl", "cc-by-4.0"]
TEMPLATES: tuple[str, ...] = get_args(Template)
SYSTEMS: tuple[str, ...] = get_args(System)
FLOWS: tuple[str, ...] = get_args(Flow)
LICENCES: tuple[str, ...] = get_args(Licence)
DOCS_LICENCES: tuple[str, ...] = get_args(DocsLicence)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_ADDRESS = re.compile(
    r"(?:https?://|ssh://git@|git@)(?P<host>[\w.-]+)(?::\d+)?[:/](?P<path>[\w.~/-]+?)(?:\.git)?/?"
)


class Choices(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Kept in the project, so that its files can be written anew as they were asked for."""

    name: str
    template: Template | None = None
    """None: ``classification``, or ``blank`` in a repository that holds something."""
    ports: tuple[int, int, int] = (8101, 8102, 8103)
    """Of the environments test, staging and prod."""
    ci: System | None = None
    flow: Flow = "trunk"
    """``trunk``: ``main`` goes to test, tags to staging, prod by hand; ``branches``: one each, called development,
    staging and production."""
    licence: Licence = "mit"
    docs_licence: DocsLicence | None = None
    repository: str = ""
    """Its address at the forge, for the badge."""
    year: int = msgspec.field(default_factory=lambda: dt.datetime.now(dt.UTC).year)

    @property
    def home(self) -> str:
        """The repository's page, such as ``https://github.com/team/screening``; empty when unknown."""
        found = _ADDRESS.fullmatch(self.repository)
        return f"https://{found['host']}/{found['path']}" if found else ""


def check(choices: Choices, taken: str | None) -> None:
    """Raise ``Misuse`` for a name that settings would refuse, ports that clash or an address that is none.

    ``taken`` is the name of the template's dataset, which a model's may not be.
    """
    if not _NAME.fullmatch(choices.name):
        raise Misuse(
            f"'{choices.name}' is no name for a project: use lower-case letters, digits, '-' and '_', "
            "at most 63, with a letter first."
        )
    if choices.name == taken:
        raise Misuse(f"'{taken}' is the name of the template's dataset; give the project another one.")
    for word, known, what in (
        (choices.template or TEMPLATES[0], TEMPLATES, "template"),
        (choices.licence, LICENCES, "licence"),
        (choices.ci or SYSTEMS[0], SYSTEMS, "CI system"),
        (choices.flow, FLOWS, "flow"),
        (choices.docs_licence or DOCS_LICENCES[0], DOCS_LICENCES, "licence of documents"),
    ):
        if word not in known:
            raise Misuse(f"There is no {what} '{word}'; known: {', '.join(known)}.")
    ports = choices.ports
    if len(set(ports)) != 3 or not all(1 <= port <= 65535 for port in ports):
        raise Misuse(f"The ports {', '.join(map(str, ports))} must be three different ones from 1 to 65535.")
    if choices.repository and not choices.home:
        raise Misuse(
            f"'{choices.repository}' is no address of a repository; give it as https://HOST/OWNER/NAME."
        )
