"""Settings of alerts. The docstrings are the documentation of ``docs/settings.md``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from modelyard.settings.spans import Span

Channel = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Family = Literal["data_quality", "drift", "live_quality", "estimated_quality", "operation"]


class ChannelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[alerts.channels.NAME]``: whom to tell, by an address of Apprise (extra ``alerts``): e-mail, Slack, Teams, PagerDuty, a
    webhook. The address holds secrets, so it stands in a variable or in a file. Without models, families, severities or environments it
    is told of all of them."""

    variable: str | None = None
    """The variable that holds the address."""
    file: str | None = None
    """The file that holds it, relative to the project."""
    models: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()
    severities: tuple[Literal["warning", "critical"], ...] = ()
    escalation: bool = False
    """Told only of what is open for ``escalate_after``."""

    def __post_init__(self) -> None:
        if (self.variable is None) == (self.file is None):
            raise ValueError("a channel has one of 'variable' and 'file'")


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[alerts]``: what becomes of what monitoring finds."""

    critical: tuple[Family, ...] = ("data_quality", "live_quality")
    """Families whose alerts are critical; the others' are warnings."""
    calm: Annotated[int, Meta(ge=1, le=1000)] = 1
    """Judged windows without it after which an alert is over."""
    escalate_after: Span = "4h"
    """Channels with ``escalation`` are told of what nobody silenced or resolved by then."""
    runbooks: dict[str, str] = {}
    """By family or kind of finding, or ``job``, a page that says what to do."""
    channels: dict[Channel, ChannelSettings] = {}
