"""``modelyard promote``."""

from __future__ import annotations

import click

from modelyard.actions.promote import promote, waiting
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("refs", nargs=-1, metavar="[MODEL[@VERSION]]...")
@click.option("--to", required=True, metavar="ENVIRONMENT", help="The environment to admit it to.")
@click.option(
    "--where",
    default="",
    metavar="FILTER",
    help="The newest version that the environment before has admitted and the filter is true of.",
)
@click.option("--reason", default="", help="Why; it stands in the history and the audit trail.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, refs: tuple[str, ...], to: str, where: str, reason: str, as_json: bool
) -> None:
    """Admit versions to the next environment: gates and reviews decide. Nothing goes live by it.

    Without a model, all that is live in the environment before.

    \b
    Example: modelyard promote screening@1 --to prod
             modelyard promote screening --where "tags.season = 'winter'" --to prod
             modelyard promote --to staging
    """
    here = project(ctx)
    admitted = [promote(here, ref, to=to, where=where, reason=reason) for ref in refs or waiting(here, to)]
    if as_json:
        show_json(admitted[0] if len(refs) == 1 else admitted)
        return
    for one in admitted:
        say(f"{one.model}@{one.version} is admitted to {to}. Next: modelyard deploy {to} {one.model}")
