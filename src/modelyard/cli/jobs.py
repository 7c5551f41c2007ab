"""``modelyard jobs``."""

from __future__ import annotations

import time

import click

from modelyard.actions.jobs import ask, cancel, listed, retry, said, shown
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.records.job import OPEN, Job, JobKind

_POLL = 0.5


@click.group(invoke_without_command=True)
@click.option("--all", "every", is_flag=True, help="Also what ended before the last 20.")
@json_option
@click.pass_context
def command(ctx: click.Context, every: bool, as_json: bool) -> None:
    """What the yard has to do, does and did: builds and windows that 'up' and 'worker' take.

    \b
    Example: modelyard jobs add build screening
             modelyard jobs
             modelyard jobs logs 7 -f
    """
    if ctx.invoked_subcommand:
        return
    found = listed(project(ctx), limit=None if every else 20)
    if as_json:
        show_json(found)
        return
    show_table(
        ("job", "does", "is", "tries", "asked by", "asked (UTC)", "took", "note"),
        [_row(job) for job in found],
        empty="There is no job; 'modelyard jobs add build' makes one.",
    )


def _row(job: Job) -> tuple[object, ...]:
    state = "cancelling" if job.ending and job.state == "running" else job.state
    note = job.result if job.state == "done" else job.reason
    if job.state == "running":
        note = f"on {job.executor}"
    return (
        job.id,
        job.asked.said,
        state,
        job.tries,
        job.by,
        f"{job.since:%Y-%m-%d %H:%M:%S}",
        _took(job),
        note[:100],
    )


def _took(job: Job) -> str:
    return f"{(job.ended - job.began).total_seconds():.1f} s" if job.began and job.ended else ""


@command.command("add")
@click.argument("kind", type=click.Choice(["build", "monitor"]))
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--env", "environment", default="", help="Of a window: the environment.")
@json_option
@click.pass_context
def add_(ctx: click.Context, kind: JobKind, models: tuple[str, ...], environment: str, as_json: bool) -> None:
    """Ask for work; a build takes the project's files along as they are now.

    \b
    Example: modelyard jobs add build screening
             modelyard jobs add monitor screening --env prod
    """
    here = project(ctx)
    job = ask(here, kind, models or tuple(here.settings.models), environment=environment)
    if as_json:
        show_json(job)
        return
    takes = "'modelyard up' or 'modelyard worker' takes" if kind == "build" else "'modelyard up' takes"
    say(f"job {job.id} waits: {takes} it")


@command.command("show")
@click.argument("job", type=int)
@click.pass_context
def show_(ctx: click.Context, job: int) -> None:
    """One job with all that is known of it, as JSON.

    \b
    Example: modelyard jobs show 7
    """
    show_json(shown(project(ctx), job))


@command.command("logs")
@click.argument("job", type=int)
@click.option("-f", "--follow", is_flag=True, help="Go on until it ends.")
@click.pass_context
def logs_(ctx: click.Context, job: int, follow: bool) -> None:
    """What a job printed, on whichever machine.

    \b
    Example: modelyard jobs logs 7 --follow
    """
    here, after = project(ctx), 0
    while True:
        found, pieces = said(here, job, after=after)
        for piece in pieces:
            say(piece.text.rstrip("\n"))
            after = piece.number
        if not follow or found.state not in OPEN:
            break
        time.sleep(_POLL)
    if follow:
        say(f"job {found.id} is {found.state}" + (f": {found.reason}" if found.reason else ""), err=True)


@command.command("cancel")
@click.argument("job", type=int)
@json_option
@click.pass_context
def cancel_(ctx: click.Context, job: int, as_json: bool) -> None:
    """End a job: what it finished is kept.

    \b
    Example: modelyard jobs cancel 7
    """
    changed = cancel(project(ctx), job)
    if as_json:
        show_json(changed)
        return
    say(f"job {changed.id} {'is ended by its worker' if changed.ending else 'is cancelled'}")


@command.command("retry")
@click.argument("job", type=int)
@json_option
@click.pass_context
def retry_(ctx: click.Context, job: int, as_json: bool) -> None:
    """Have a job done again that failed or was cancelled, from the same files.

    \b
    Example: modelyard jobs retry 7
    """
    changed = retry(project(ctx), job)
    if as_json:
        show_json(changed)
        return
    say(f"job {changed.id} waits for a worker again")


@command.command("perform", hidden=True)
@click.argument("job", type=int)
@click.pass_context
def perform_(ctx: click.Context, job: int) -> None:
    """Do a job that a worker holds; its own process."""
    from modelyard.cli.performed import perform

    perform(project(ctx), job)
