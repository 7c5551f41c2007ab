"""``modelyard import``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.import_ import import_
from modelyard.cli.output import json_option, project, say, show_json


@click.command("import")
@click.argument("source", metavar="FILE_OR_FOLDER", type=click.Path(path_type=Path))
@click.option("--model", metavar="NAME", help="The model that a file or folder of others is for.")
@click.option(
    "--trust",
    metavar="REASON",
    help="Answer for what no trusted key signed, or for a pickle; it is recorded.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, source: Path, model: str | None, trust: str | None, as_json: bool) -> None:
    """Take a package (.mypkg) that was made elsewhere, once every byte and its signature hold; or make one of an
    MLflow folder (sklearn, onnx, pyfunc), model.onnx, model.skops or model.joblib.

    \b
    Example: modelyard import screening-1.mypkg
             modelyard import model.onnx --model screening
    """
    done = import_(project(ctx), source, model=model, trust=trust)
    if as_json:
        show_json(done)
        return
    by = ", ".join(key[:16] for key in done.keys) or "no trusted key"
    say(f"{done.ref}: signed by {by}")
    follow = "register" if done.tested else "evaluate"
    say(f"next: modelyard {follow} {done.ref}")
