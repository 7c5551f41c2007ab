"""Every command by its name; a command's file loads when it is run."""

from __future__ import annotations

import importlib
import keyword
from pathlib import Path

import click

import modelyard as modelyard_
from modelyard.cli.contents import COMMANDS, help_text


class LazyGroup(click.Group):  # its methods' arguments are click's
    """Knows its commands by name; imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        file = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f"modelyard.cli.{file}")
        command: click.Command = module.command
        return command

    def get_help(self, ctx: click.Context) -> str:
        return help_text()


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(modelyard_.__version__, prog_name="modelyard")
@click.option(
    "-C",
    "--project",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option("--debug", is_flag=True)
@click.pass_context
def modelyard(ctx: click.Context, folder: Path | None, debug: bool) -> None:  # noqa: ARG001
    """From a folder of model code to a tested, monitored, governed service."""
    ctx.obj = folder
