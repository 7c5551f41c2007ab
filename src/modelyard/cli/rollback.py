"""``modelyard rollback``."""

from __future__ import annotations

import click

from modelyard.actions.rollback import rollback
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("environment")
@click.argument("model")
@click.option("--reason", default="", help="Why; it stands in the history and the audit trail.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, model: str, reason: str, as_json: bool) -> None:
    """Make live again what was live before, or end a canary or shadow.

    \b
    Example: modelyard rollback prod screening --reason "Alerts since 14:00"
    """
    release = rollback(project(ctx), environment, model, reason=reason)
    if as_json:
        show_json(release)
        return
    ended = f" ({release.reason})" if release.reason.startswith("ends the ") else ""
    say(f"{release.model}@{release.version} is live in {environment} again{ended}")
