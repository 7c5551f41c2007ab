"""``modelyard image``."""

from __future__ import annotations

import click

from modelyard.actions.image import image
from modelyard.cli.output import json_option, project, say, show_json
from modelyard.infra import BUILDERS


@click.command()
@click.argument("environment")
@click.option("--tag", default="", help="By default REGISTRY/PROJECT:ENVIRONMENT.")
@click.option("--builder", type=click.Choice(BUILDERS), help="By default whichever is there.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, tag: str, builder: str | None, as_json: bool) -> None:
    """Build a container image of an environment's service: what it answers for, and nothing to train with.

    \b
    Example: modelyard image prod
             modelyard image prod --tag registry.example.org/team/screening:7 --builder podman
    """
    built = image(project(ctx), environment, tag=tag, builder=builder or "")
    if as_json:
        show_json(built)
    else:
        say(f"{built.tag} answers for {', '.join(built.models)} ({built.id}, by {built.builder})")
