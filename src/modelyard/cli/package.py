"""``modelyard package``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.package import package
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("ref", metavar="MODEL[@VERSION]")
@click.option("--output", type=click.Path(path_type=Path), help="Copy the package to this new folder.")
@json_option
@click.pass_context
def command(ctx: click.Context, ref: str, output: Path | None, as_json: bool) -> None:
    """Verify a sealed package with its report; with --output hand it out as a folder.

    The folder loads with mlflow.pyfunc.load_model.

    \b
    Example: modelyard package screening@1 --output dist/screening-1
    """
    found = package(project(ctx), ref, output=output)
    if as_json:
        show_json(found)
        return
    say(f"{ref}: package {found.digest}{f', written to {output}' if output else ', verified'}")
