"""``modelyard worker``."""

from __future__ import annotations

import click

from modelyard.cli.output import project, say
from modelyard.pipelines.leash import heed
from modelyard.pipelines.until import Until
from modelyard.pipelines.worker import Worker
from modelyard.records.job import JobKind


@click.command()
@click.option(
    "--jobs", "most", type=click.IntRange(1, 64), default=1, show_default=True, help="Jobs side by side."
)
@click.option(
    "--queue",
    "queues",
    multiple=True,
    help="Only of this queue: build, or an environment whose services run here. May be given several times.",
)
@click.option(
    "--here", "here_too", is_flag=True, hidden=True, help="What is of this machine too: windows, triggers."
)
@click.option("--until-idle", is_flag=True, help="End when there is nothing left to do.")
@click.pass_context
def command(ctx: click.Context, most: int, queues: tuple[str, ...], here_too: bool, until_idle: bool) -> None:
    """Take builds of the yard and do them on this machine, until Ctrl-C.

    What it had begun then is given back; what it was doing when it was killed is taken over by another.

    \b
    Example: modelyard worker --jobs 2
             modelyard worker --queue prod --queue build
    """
    heed()
    here = project(ctx)
    here.require("developer")
    until = Until().heed()
    kinds: tuple[JobKind, ...] = () if here_too or queues else ("build",)
    worker = Worker(here, most=most, only=queues, kinds=kinds, report=say)
    say(
        f"worker {worker.name} takes {'jobs of ' + ', '.join(queues) if queues else 'any job' if here_too else 'builds'}, {most} at a time"
    )
    worker.run(until, idle=until_idle)
