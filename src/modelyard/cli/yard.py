"""``modelyard yard``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from modelyard.actions.backup import backup
from modelyard.actions.carried import Carried
from modelyard.actions.move import move
from modelyard.actions.restore import restore
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
    _tell("moved", moved)
    say(
        "now name the new place in modelyard.toml under [yard], or in MODELYARD_YARD__DATABASE and MODELYARD_YARD__ARTIFACTS"
    )


@command.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_context
def backup_(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Everything that the yard holds as one file, verified; the keys that sign are not in it.

    \b
    Example: modelyard yard backup /backups/screening-$(date +%F).tar
    """
    made = backup(project(ctx), file)
    if as_json:
        show_json(made)
    else:
        _tell(f"backed up to {file}", made)


@command.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_context
def restore_(ctx: click.Context, file: Path, as_json: bool) -> None:
    """A backup into the yard that the settings name, which is empty, once every byte of it is verified.

    \b
    Example: modelyard yard restore /backups/screening-2026-11-21.tar
    """
    made = restore(project(ctx), file)
    if as_json:
        show_json(made)
    else:
        _tell(f"restored from {file}", made)


def _tell(what: str, carried: Carried) -> None:
    say(
        f"{what}: {carried.facts} rows of facts, {carried.artifacts} artifacts, {carried.tables} tables; "
        f"{carried.events} audit events verified there"
    )
