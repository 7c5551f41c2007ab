"""``modelyard build``."""

from __future__ import annotations

import click

from modelyard.cli.output import json_option, project, say, show_json
from modelyard.pipelines.build import Step, build


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@json_option
@click.pass_context
def command(ctx: click.Context, models: tuple[str, ...], as_json: bool) -> None:
    """Ingest, train, evaluate, package and register; what did not change is not done again.

    \b
    Example: modelyard build screening
    """
    here = project(ctx)
    built = build(here, models or tuple(here.settings.models), report=None if as_json else _line)
    if as_json:
        show_json(built.steps)
    built.refuse()


def _line(step: Step) -> None:
    took = "unchanged" if step.cached else f"{step.seconds:.1f} s"
    say(f"{step.verb:<9} {step.result:<24} {took:>9}  {step.note}".rstrip())
