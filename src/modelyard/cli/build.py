"""``modelyard build``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from modelyard.cli.output import json_option, say, show_json, show_table
from modelyard.cli.progress import Lines, Progress, Silence, Table
from modelyard.pipelines.build import Built, build
from modelyard.pipelines.graph import VERBS, Verb
from modelyard.pipelines.plan import explain, plan
from modelyard.project import Project, open_project
from modelyard.render.text import harmless


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--jobs", type=click.IntRange(min=1), help="Steps side by side; by default as many as cores.")
@click.option(
    "--until",
    type=click.Choice(VERBS),
    default="register",
    show_default=True,
    help="The last step; evaluate registers nothing, as for a pull request.",
)
@click.option("--dry-run", is_flag=True, help="Say what would run and why, and do nothing.")
@click.option("--explain", "step", metavar="STEP", help="The inputs of a step, now and when it ran last.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    models: tuple[str, ...],
    jobs: int | None,
    until: Verb,
    dry_run: bool,
    step: str | None,
    as_json: bool,
) -> None:
    """Ingest, train, evaluate, package and register; what did not change is not done again.

    \b
    Example: modelyard build screening
             modelyard build --until evaluate
    """
    progress = _progress(as_json)
    here = open_project(ctx.find_object(Path), tell=progress.tell)
    wanted = models or tuple(here.settings.models)
    if step is not None:
        _explain(here, wanted, step, as_json)
    elif dry_run:
        _plan(here, wanted, until, as_json)
    else:
        with progress:
            built = build(here, wanted, until=until, jobs=jobs, report=progress.report, tick=progress.tick)
        if as_json:
            show_json(built.steps)
        _refuse(built)


def _progress(as_json: bool) -> Progress:
    if as_json:
        return Silence()
    return Table() if sys.stdout.isatty() else Lines()


def _refuse(built: Built) -> None:
    """Say why each failed; the first failure's exit code is the command's."""
    for error in list(built.failures.values())[1:]:
        sys.stderr.write(f"modelyard: {harmless(str(error), keep=chr(10))}\n")
    built.refuse()


def _plan(project: Project, models: tuple[str, ...], until: Verb, as_json: bool) -> None:
    planned = plan(project, models, until=until)
    if as_json:
        show_json(planned)
        return
    rows = [(step.name, step.fate, "; ".join(step.reasons)) for step in planned]
    show_table(("step", "would", "because"), rows, empty="There is no model in modelyard.toml.")


def _explain(project: Project, models: tuple[str, ...], step: str, as_json: bool) -> None:
    told = explain(project, models, step)
    if as_json:
        show_json(told)
        return
    say(f"{told.step}: {told.fate}" + (f", {'; '.join(told.reasons)}" if told.reasons else ""))
    rows = [
        (f"{given.kind} {given.name}".strip(), given.before, given.now, "changed" if given.changed else "")
        for given in told.inputs
    ]
    show_table(("input", "when it ran last", "now", ""), rows, empty="Nothing is known of its inputs yet.")
