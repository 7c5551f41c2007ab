"""``modelyard alerts``."""

from __future__ import annotations

import datetime as dt

import click

from modelyard.actions.alerts import listed, resolve, shown, silence, tried_out
from modelyard.cli.moment import Span
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.errors import Misuse, Outage
from modelyard.records.alert import Alert


@click.group(invoke_without_command=True)
@click.option("--all", "every", is_flag=True, help="Also those that are over.")
@json_option
@click.pass_context
def command(ctx: click.Context, every: bool, as_json: bool) -> None:
    """What people are told of: open alerts of all environments.

    \b
    Example: modelyard alerts
             modelyard alerts silence 3 --for 4h --reason "known, mended by noon"
    """
    if ctx.invoked_subcommand:
        return
    found = listed(project(ctx), over=every)
    if as_json:
        show_json(found)
        return
    show_table(
        ("alert", "model", "in", "about", "severity", "is", "since (UTC)", "times", "says"),
        [_row(alert) for alert in found],
        empty="No alert is open.",
    )


def _row(alert: Alert) -> tuple[object, ...]:
    state: str = alert.state
    if alert.state == "open" and alert.silenced and alert.silenced > dt.datetime.now(dt.UTC):
        state = f"silenced to {alert.silenced:%m-%d %H:%M}"
    return (
        alert.id,
        alert.model,
        alert.environment,
        alert.about,
        alert.severity,
        state,
        f"{alert.opened:%Y-%m-%d %H:%M}",
        alert.times,
        alert.sentence[:90],
    )


@command.command("show")
@click.argument("alert", type=int)
@click.pass_context
def show_(ctx: click.Context, alert: int) -> None:
    """One alert, and which channels were told of it, as JSON.

    \b
    Example: modelyard alerts show 3
    """
    found, notices = shown(project(ctx), alert)
    show_json({"alert": found, "notices": notices})


@command.command("silence")
@click.argument("alert", type=int)
@click.option("--for", "lasts", type=Span(), required=True, help="So long, such as 4h.")
@click.option("--reason", default="")
@json_option
@click.pass_context
def silence_(ctx: click.Context, alert: int, lasts: dt.timedelta, reason: str, as_json: bool) -> None:
    """Tell nobody of an alert for a while; it stays open.

    \b
    Example: modelyard alerts silence 3 --for 4h --reason "the clinic's import is being mended"
    """
    changed = silence(project(ctx), alert, lasts=lasts, reason=reason)
    if as_json:
        show_json(changed)
        return
    say(f"alert {changed.id} is silent until {changed.silenced:%Y-%m-%d %H:%M} UTC")


@command.command("resolve")
@click.argument("alert", type=int)
@click.option("--reason", default="")
@json_option
@click.pass_context
def resolve_(ctx: click.Context, alert: int, reason: str, as_json: bool) -> None:
    """Say that an alert is over; a window that finds it again opens another.

    \b
    Example: modelyard alerts resolve 3 --reason "a new ward, as agreed"
    """
    changed = resolve(project(ctx), alert, reason=reason)
    if as_json:
        show_json(changed)
        return
    say(f"alert {changed.id} is over")


@command.command("test")
@click.argument("channels", nargs=-1, metavar="[CHANNEL]...")
@click.pass_context
def test_(ctx: click.Context, channels: tuple[str, ...]) -> None:
    """Send a test message to channels of [alerts.channels], all by default; exit 3 when one does not take it.

    \b
    Example: modelyard alerts test team
    """
    told = tried_out(project(ctx), channels)
    if not told:
        raise Misuse("modelyard.toml has no [alerts.channels.NAME]; add one.")
    for notice in told:
        say(f"{notice.channel}: {notice.problem or 'took it'}")
    if failed := [notice.problem for notice in told if notice.problem]:
        raise Outage(failed[0][0].upper() + failed[0][1:].rstrip(".") + ".")
