"""``modelyard review``."""

from __future__ import annotations

import click

from modelyard.actions.review import review
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("ref", metavar="MODEL@VERSION")
@click.option(
    "--for", "subject", required=True, metavar="REVIEW", help="What is reviewed, as the environment names it."
)
@click.option("--yes", is_flag=True, help="The answer.")
@click.option("--no", is_flag=True, help="The other answer.")
@click.option("--reason", required=True, help="Why; it stands in the audit trail.")
@click.option(
    "--by", help="Who answers; by default MODELYARD_ACTOR or the user's name. Recorded as asserted."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    ref: str,
    subject: str,
    yes: bool,
    no: bool,
    reason: str,
    by: str | None,
    as_json: bool,
) -> None:
    """Record a person's yes or no that an environment asks for.

    \b
    Example: modelyard review screening@1 --for ethics --yes --reason "Approved by the board of 3 May"
    """
    if yes == no:
        raise click.UsageError("Give either --yes or --no.")
    given = review(project(ctx), ref, subject=subject, yes=yes, reason=reason, by=by)
    if as_json:
        show_json(given)
        return
    say(
        f"{given.model}@{given.version}: {subject} {'yes' if given.yes else 'no'} by {given.by}: {given.reason}"
    )
