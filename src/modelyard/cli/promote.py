"""``modelyard promote``."""

from __future__ import annotations

import click

from modelyard.actions.promote import promote
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("ref", metavar="MODEL[@VERSION]")
@click.option("--to", required=True, metavar="ENVIRONMENT", help="The environment to admit it to.")
@click.option(
    "--where",
    default="",
    metavar="FILTER",
    help="The newest version that the environment before has admitted and the filter is true of.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, ref: str, to: str, where: str, as_json: bool) -> None:
    """Admit a version to the next environment: gates and reviews decide. Nothing goes live by it.

    \b
    Example: modelyard promote screening@1 --to prod
             modelyard promote screening --where "tags.season = 'winter'" --to prod
    """
    admission = promote(project(ctx), ref, to=to, where=where)
    if as_json:
        show_json(admission)
        return
    say(
        f"{admission.model}@{admission.version} is admitted to {to}. Next: modelyard deploy {to} {admission.model}"
    )
