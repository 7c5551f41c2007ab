"""``modelyard render``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.render import render, render_image
from modelyard.cli.output import json_option, project, say, show_json
from modelyard.errors import Misuse
from modelyard.infra import KINDS


@click.command()
@click.argument("kind", type=click.Choice(("docker", *KINDS)))
@click.argument("environment", required=False)
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="Where; by default deploy/KIND."
)
@click.option("--wheels", is_flag=True, help="docker: the libraries as well, for a build without an index.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    kind: str,
    environment: str | None,
    folder: Path | None,
    wheels: bool,
    as_json: bool,
) -> None:
    """Write what other programs read to run the project's services.

    docker needs an environment: it is the build context of an image with what that environment answers for.

    \b
    Example: modelyard render kubernetes
             modelyard render docker prod --folder build/prod
             modelyard render nginx --folder /etc/nginx
    """
    here = project(ctx)
    if kind == "docker":
        if environment is None:
            raise Misuse("An image is of one environment; name it: 'modelyard render docker prod'.")
        place = folder or here.root / "deploy" / kind / environment
        contained = render_image(here, environment, place, wheels=wheels)
        if as_json:
            show_json(contained)
        else:
            say(f"{place} is the build context of {', '.join(contained.models)} in {environment}")
        return
    if environment is not None:
        raise Misuse(f"{kind} is of all environments; leave '{environment}' out.")
    place = folder or here.root / "deploy" / kind
    written = render(here, kind, place)
    if as_json:
        show_json([str(path) for path in written])
        return
    for path in written:
        say(f"wrote {path}")
