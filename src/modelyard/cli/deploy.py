"""``modelyard deploy``."""

from __future__ import annotations

import click

from modelyard.actions.deploy import deploy
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("environment")
@click.argument("refs", nargs=-1, metavar="[MODEL[@VERSION]]...")
@click.option(
    "--where",
    default="",
    metavar="FILTER",
    help="The newest admitted version that the filter is true of.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, refs: tuple[str, ...], where: str, as_json: bool) -> None:
    """Test a version as a service, then make it live; the newest admitted one by default.

    \b
    Example: modelyard deploy prod screening
             modelyard deploy prod screening --where "tags.season = 'winter'"
    """
    here = project(ctx)
    done = [deploy(here, environment, ref, where=where) for ref in refs or tuple(here.settings.models)]
    if as_json:
        show_json(done)
        return
    for result in done:
        release = result.release
        where = f"{release.model}@{release.version} is live in {environment} at {result.url}"
        tested = f"after {result.tests} application tests" if result.tests else "(it was already)"
        say(f"{where} {tested}")
