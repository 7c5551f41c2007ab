"""``modelyard check``."""

from __future__ import annotations

from collections import Counter

import click

from modelyard.actions.check import check
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option(
    "--for", "environment", metavar="ENVIRONMENT", help="Test its service as this environment's would be."
)
@json_option
@click.pass_context
def command(ctx: click.Context, models: tuple[str, ...], environment: str | None, as_json: bool) -> None:
    """Run a model's own tests, and its application tests against a service on this machine.

    \b
    Example: modelyard check screening
             modelyard check screening --for prod
    """
    here = project(ctx)
    done = [check(here, name, environment) for name in models or tuple(here.settings.models)]
    if as_json:
        show_json(done)
        return
    for result in done:
        tests, report = result.tests.passed, result.service
        say(f"{result.model}: {tests} of its own tests and {len(report.outcomes)} application tests passed")
        kinds = Counter(outcome.kind for outcome in report.outcomes)
        say("  " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
