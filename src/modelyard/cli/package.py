"""``modelyard package``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.package import package
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("ref", metavar="MODEL[@VERSION]")
@click.option(
    "--output",
    "--out",
    type=click.Path(path_type=Path),
    help="Write it to this new folder, or as one file when it ends in .mypkg.",
)
@click.option("--sign", is_flag=True, help="Sign it with this machine's key first.")
@json_option
@click.pass_context
def command(ctx: click.Context, ref: str, output: Path | None, sign: bool, as_json: bool) -> None:
    """Verify a sealed package with its report; with --output hand it out.

    A folder loads with mlflow.pyfunc.load_model; a .mypkg is taken by 'modelyard import'.

    \b
    Example: modelyard package screening@1 --output dist/screening-1
             modelyard package screening@1 --output dist/screening-1.mypkg
    """
    found = package(project(ctx), ref, output=output, sign=sign)
    if as_json:
        show_json(found)
        return
    keys = ", ".join(signature.key[:16] for signature in found.signatures)
    done = f", written to {output}" if output else ", verified"
    say(f"{ref}: package {found.digest}{done}; signed by {keys or 'nobody'}")
    if found.unlocked:
        say(f"requirements: without hashes; {found.unlocked}")
