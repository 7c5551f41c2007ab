"""``[triggers.MODEL]``: what starts a build again, what holds it back, and where its outcome goes."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from modelyard.errors import SettingsError
from modelyard.settings import cron
from modelyard.settings.data import Share
from modelyard.settings.spans import Span

Source = Literal["new_data", "code", "drift", "live_quality", "estimated_quality"]
Environment = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class PolicySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[triggers.MODEL.policy]``: what is done about a trigger, and the guards against doing it too often.

    Broken data in the watched window forbids every build; no setting changes that.
    """

    broken_from: Share = 0.2
    """Of a column's values, the share out of range or of unknown labels from which an alert about them means broken
    data; a smaller one comes with any drift. Every other alert of data quality means it."""

    drift: Literal["investigate", "retrain"] = "investigate"
    """What drift alone does: tell people, or build."""
    estimated_quality: Literal["ask", "retrain"] = "ask"
    """What a loss of quality that no outcome has shown yet does: ask for labels, or build."""
    cool_down: Span = "1d"
    """From the beginning of one retraining to the earliest of the next, such as ``12h``."""
    most_a_week: Annotated[int, Meta(ge=1, le=1000)] = 3
    """Retrainings in any seven days."""
    min_labelled: Annotated[int, Meta(ge=0)] = 100
    """Labelled rows that the live version did not learn from, without which data, drift or quality start no build."""
    attempts: Annotated[int, Meta(ge=1, le=100)] = 3
    """Builds that may fail one after another; after them nothing starts by itself until a person has it built."""
    back_off: Span = "1h"
    """To wait after a build that failed; doubled after each further one."""


class ChampionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[triggers.MODEL.champion]``: what a challenger must show beside what is live, on the same test rows.

    The gates of ``[models.NAME.gates]`` hold besides.
    """

    metric: str | None = None
    """By default the metric that decides (``models.NAME.metric``)."""
    margin: Annotated[float, Meta(ge=0)] = 0.02
    """By how much, in the metric's unit, it may be worse."""
    test: Literal["non_inferiority", "point", "inferiority"] = "non_inferiority"
    """Over all rows: shown to be no worse by more than ``margin``; not worse by more than it as measured; or not shown
    to be worse by more. In each slice of ``evaluation.slices`` it must not be shown to be worse by more."""
    confidence: Share = 0.95


class CanarySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[triggers.MODEL.canary]``: how a challenger is tried beside what is live."""

    steps: tuple[Share, ...] = (0.1, 0.5)
    """The shares of requests that it answers, rising; after the last it is live for all. None: live at once."""
    min_rows: Annotated[int, Meta(ge=1)] = 200
    """Judged answers of the challenger in each step before the next."""
    hours: Annotated[float, Meta(gt=0, le=24 * 90)] = 24.0
    """The longest that a step may take; one that has not seen ``min_rows`` by then ends the trial."""
    judge: Literal["auto", "outcomes", "requests"] = "auto"
    """By wrong answers, as outcomes tell, or by requests that were refused or failed; ``auto`` by outcomes where any
    were ever told of the model in that environment."""
    alpha: Share = 0.05
    """The chance that a challenger as good as what is live is called worse in a step, however often one looks."""

    def __post_init__(self) -> None:
        if any(a >= b for a, b in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError("'steps' must rise")


class PipelineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[triggers.MODEL.pipeline]``: a yes starts this pipeline of a forge, in place of the build and all after it here."""

    forge: Literal["gitlab", "github", "bitbucket", "azure"]
    project: Annotated[str, Meta(pattern=r"^[\w.~ -]+(/[\w.~ -]+)*$", max_length=300)]
    """GitLab: the path or number of the project; GitHub: ``owner/repository``; Bitbucket: ``workspace/repository``; Azure:
    ``organisation/project``."""
    ref: Annotated[str, Meta(pattern=r"^[\w.][\w./-]*$", max_length=200)] = "main"
    """The branch; for GitLab and GitHub a tag does as well."""
    workflow: Annotated[str, Meta(pattern=r"^[\w. -]+$", max_length=200)] | None = None
    """GitHub: the workflow's file, such as ``retrain.yml``; Bitbucket: the name of the custom pipeline; Azure: the
    pipeline's number. GitLab has none."""
    url: str | None = None
    """The server's address where it is an own one, such as ``https://gitlab.example.com``."""
    token_env: Annotated[str, Meta(pattern=r"^[A-Z_][A-Z0-9_]{0,99}$")]
    """The variable that holds the token."""

    def __post_init__(self) -> None:
        if self.forge != "gitlab" and self.project.count("/") != 1:
            raise ValueError(f"'project' of {self.forge} has two parts, such as 'team/demand'")
        if (self.workflow is None) != (self.forge == "gitlab"):
            raise ValueError("'workflow' names what GitHub, Bitbucket and Azure are to run; GitLab has none")
        if self.forge == "azure" and not (self.workflow or "").isdecimal():
            raise ValueError("'workflow' of azure is the pipeline's number")
        if self.url is not None and not _safe(self.url):
            raise ValueError(
                "'url' is an address such as 'https://gitlab.example.com', without a name or password"
            )


def _safe(url: str) -> bool:
    """A token is sent there, so in clear to this machine alone."""
    try:
        parts = urlsplit(url)
        near = parts.hostname in ("localhost", "127.0.0.1", "::1")
    except ValueError:
        return False
    whole = bool(parts.hostname) and not (parts.query or parts.fragment or "@" in parts.netloc)
    return whole and (parts.scheme == "https" or (parts.scheme == "http" and near))


class TriggerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[triggers.MODEL]``: what starts a build of a model again, and what becomes of a good one."""

    schedule: str | None = None
    """Cron's five fields, such as ``0 3 * * 1``."""
    timezone: str = "UTC"
    """The time zone of ``schedule``, such as ``Europe/Helsinki``. What the clocks skip is due right after, what they pass
    twice is due once."""
    on: tuple[Source, ...] = ()
    """What else starts one: rows that sources bring, committed code, and findings of the newest window."""
    labelled: Annotated[str, Meta(min_length=1)] | None = None
    """A CSV or Parquet file, relative to the project and read by the dataset's source, such as one more that its glob
    finds: predictions of ``environment`` whose outcomes were told are written there before rows are taken in."""
    environment: Environment | None = None
    """Whose window is watched; by default ``deploy_to``."""
    deploy_to: Environment | None = None
    """How far a good build goes, through all environments before; by default the last one."""
    promote: Literal["automatic", "review"] = "automatic"
    """``automatic`` promotes as soon as gates and reviews allow it; ``review`` waits for a person to run ``promote``."""
    patience: Span = "14d"
    """How long a version waits for people before it is given up."""
    policy: PolicySettings = PolicySettings()
    champion: ChampionSettings = ChampionSettings()
    canary: CanarySettings = CanarySettings()
    pipeline: PipelineSettings | None = None

    def __post_init__(self) -> None:
        if self.schedule is not None:
            try:
                cron.check(self.schedule, self.timezone)
            except SettingsError as error:
                raise ValueError(str(error).removesuffix(".")) from None
        if len(set(self.on)) != len(self.on):
            raise ValueError("'on' names a trigger twice")
