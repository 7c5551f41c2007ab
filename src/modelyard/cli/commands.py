"""The table of contents: every command with its line of help; a command's file loads when it is run."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

import modelyard as modelyard_

COMMANDS = {
    "init": "A new project that builds and passes its tests at once.",
    "ingest": "Sources to a new dataset version.",
    "train": "One run: a model trained and sealed as a candidate.",
    "check": "The model's own tests and its service tests; nothing is registered.",
    "evaluate": "The report on the held-back test split; exit 1 if a gate fails.",
    "package": "Verify the sealed package, and hand it out as a folder.",
    "register": "Give a tested package its version.",
    "build": "Ingest, train, evaluate, package, register; what is done is not done again.",
    "deploy": "Application tests on the candidate, then switch traffic.",
    "promote": "Admit a version to the next environment, gates and reviews included.",
    "review": "A person's yes or no, as an environment asks for.",
    "rollback": "The previous release, in seconds.",
    "serve": "A service in the foreground.",
    "stop": "End an environment's service on this machine.",
    "predict": "Some rows now, without a service.",
    "monitor": "Drift and data quality of a window; exit 1 on alert with --fail.",
    "status": "What is live where.",
    "data": "Dataset versions.",
    "runs": "Trainings.",
    "versions": "Registered versions.",
    "releases": "What went live, where and when.",
    "audit": "Who did what, when; and that nobody changed it.",
    "doctor": "What is wrong here, and what to do.",
    "demo": "The whole lifecycle on real data.",
}


class LazyGroup(click.Group):  # its methods' arguments are click's
    """Knows its commands by name; imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"modelyard.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(modelyard_.__version__, prog_name="modelyard")
@click.option(
    "-C",
    "--project",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The project's folder; by default the nearest one at or above here.",
)
@click.option("--debug", is_flag=True, help="Show a traceback instead of one sentence.")
@click.pass_context
def modelyard(ctx: click.Context, folder: Path | None, debug: bool) -> None:  # noqa: ARG001
    """From a folder of model code to a tested, monitored, governed service.

    \b
    modelyard init screening && cd screening
    modelyard build
    modelyard deploy test screening
    """
    ctx.obj = folder
