"""``modelyard up``."""

from __future__ import annotations

import click

from modelyard.cli.output import project, say


@click.command()
@click.option("--part", type=click.Choice(["clock", "notifier"]), hidden=True)
@click.pass_context
def command(ctx: click.Context, part: str | None) -> None:
    """Run everything on this machine, until Ctrl-C: what is live is kept running, windows are looked at, jobs are done,
    and the console answers.

    Services go on answering after it; 'modelyard stop ENV' ends them.

    \b
    Example: modelyard up
    """
    from modelyard.pipelines.leash import heed
    from modelyard.pipelines.until import Until

    heed()
    here = project(ctx)
    here.require("developer")
    until = Until().heed()
    if part == "notifier":
        from modelyard.pipelines.notifier import Notifier

        Notifier(here, report=say).run(until)
        return
    if part:
        from modelyard.pipelines.clock import Clock

        Clock(here, report=say).run(until)
        return
    from modelyard.pipelines.up import up

    own = ("modelyard", "-C", str(here.root))
    parts: dict[str, tuple[str, ...]] = {"clock": (*own, "up", "--part", "clock")}
    if here.settings.alerts.channels:
        parts["notifier"] = (*own, "up", "--part", "notifier")
    if here.settings.jobs.workers:
        parts["worker"] = (*own, "worker", "--here", "--jobs", str(here.settings.jobs.workers))
    if not here.settings.console.off:
        parts["console"] = ("modelyard.web", "-C", str(here.root))
    say(f"{here.settings.project.name} is up, until Ctrl-C")
    up(here, parts, until, report=say)
    say("ended; services go on answering")
