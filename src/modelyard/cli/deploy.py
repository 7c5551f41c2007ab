"""``modelyard deploy``."""

from __future__ import annotations

import re

import click

from modelyard.actions.deploy import deploy
from modelyard.cli.output import json_option, project, say, show_json
from modelyard.errors import Misuse
from modelyard.records.registry import Trial


@click.command()
@click.argument("environment")
@click.argument("refs", nargs=-1, metavar="[MODEL[@VERSION]]...")
@click.option(
    "--where",
    default="",
    metavar="FILTER",
    help="The newest admitted version that the filter is true of.",
)
@click.option("--canary", metavar="SHARE", help="Try it on a share of the requests, such as 10%.")
@click.option("--sticky", metavar="HEADER", help="Divide clients by this header, not requests at random.")
@click.option("--shadow", is_flag=True, help="Try it on all requests; nobody is answered by it.")
@click.option("--reason", default="", help="Why; it stands in the history and the audit trail.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    refs: tuple[str, ...],
    where: str,
    canary: str | None,
    sticky: str | None,
    shadow: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Test a version as a service, then make it live; the newest admitted one by default.

    With --canary or --shadow it is tried beside what is live, until it is deployed or rolled back.

    \b
    Example: modelyard deploy prod screening
             modelyard deploy prod screening --where "tags.season = 'winter'"
             modelyard deploy prod screening@8 --canary 10%
    """
    trial = _trial(canary, sticky, shadow=shadow)
    here = project(ctx)
    done = [
        deploy(here, environment, ref, where=where, trial=trial, reason=reason)
        for ref in refs or tuple(here.settings.models)
    ]
    if as_json:
        show_json(done)
        return
    for result in done:
        release = result.release
        how = "live" if release.trial is None else _tried(release.trial)
        place = f"{release.model}@{release.version} is {how} in {environment} at {result.url}"
        tested = f"after {result.tests} application tests" if result.tests else "(it was already)"
        say(f"{place} {tested}")


def _trial(canary: str | None, sticky: str | None, *, shadow: bool) -> Trial | None:
    if shadow and canary is not None:
        raise Misuse("A version is a canary or a shadow, not both.")
    if sticky is not None and canary is None:
        raise Misuse("--sticky goes with --canary.")
    if sticky is not None and not re.fullmatch("[A-Za-z0-9-]{1,64}", sticky):
        raise Misuse(f"--sticky {sticky[:64]} is no header's name; give one such as X-User.")
    if canary is None:
        return Trial(arm="shadow") if shadow else None
    number, percent = canary.removesuffix("%"), canary.endswith("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise Misuse(f"--canary {canary} is no share; give one such as 10% or 0.1.")
    return Trial(arm="canary", share=share, sticky=sticky)


def _tried(trial: Trial) -> str:
    if trial.arm == "shadow":
        return "a shadow"
    whose = f"clients by {trial.sticky}" if trial.sticky else "requests"
    return f"a canary for {100 * trial.share:.4g} % of {whose}"
