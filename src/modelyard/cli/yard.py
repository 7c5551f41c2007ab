"""``modelyard yard``."""

from __future__ import annotations

import os

import click

from modelyard.actions.move import move
from modelyard.cli.output import json_option, project, say, show_json
from modelyard.errors import Misuse


@click.group()
def command() -> None:
    """Where facts and artifacts live.

    \b
    Example: modelyard yard move --artifacts s3://clinic-models/screening
    """


@command.command("move")
@click.option(
    "--database", default="", help="An SQLAlchemy URL, or the name of a variable that holds it: $NAME."
)
@click.option("--artifacts", default="", help="A folder, s3://BUCKET/PREFIX, gs://… or az://….")
@json_option
@click.pass_context
def move_(ctx: click.Context, database: str, artifacts: str, as_json: bool) -> None:
    """Copy the yard to another database or store, verified; the yard before stays as it is.

    \b
    Example: modelyard yard move --database '$YARD_URL' --artifacts s3://clinic-models/screening
    """
    if database.startswith("$"):
        name = database.removeprefix("$")
        if not (database := os.environ.get(name, "")):
            raise Misuse(f"The variable {name} is not set; set it to the database's URL.")
    moved = move(project(ctx), database=database, artifacts=artifacts)
    if as_json:
        show_json(moved)
        return
    say(
        f"moved: {moved.facts} rows of facts, {moved.artifacts} artifacts, {moved.tables} tables; "
        f"{moved.events} audit events verified there"
    )
    say(
        "now name the new place in modelyard.toml under [yard], or in MODELYARD_YARD__DATABASE and MODELYARD_YARD__ARTIFACTS"
    )
