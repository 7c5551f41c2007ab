"""``modelyard monitor``."""

from __future__ import annotations

import datetime as dt

import click

from modelyard.actions.monitor import monitor
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.errors import Alerted
from modelyard.records.finding import Finding, WindowReport


@click.command()
@click.argument("environment")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]), help="The window's begin, UTC."
)
@click.option("--all", "every", is_flag=True, help="Show every finding, not only alerts.")
@click.option("--fail", is_flag=True, help="Exit 1 on an alert.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    models: tuple[str, ...],
    since: dt.datetime | None,
    every: bool,
    fail: bool,
    as_json: bool,
) -> None:
    """Compare the newest window of logged predictions with what the model was trained on.

    \b
    Example: modelyard monitor prod screening --fail
    """
    here = project(ctx)
    start = since.replace(tzinfo=dt.UTC) if since else None
    reports = [monitor(here, environment, m, start=start) for m in models or tuple(here.settings.models)]
    if as_json:
        show_json(reports)
    else:
        for report in reports:
            _show(report, every)
    alerts = [f"{r.model}: {a.column}" for r in reports for a in r.alerts]
    if fail and alerts:
        raise Alerted(f"{len(alerts)} alerts in {environment}: {', '.join(alerts[:10])}.")


def _show(report: WindowReport, every: bool) -> None:
    span = f"{report.start:%Y-%m-%d %H:%M:%S} to {report.end:%H:%M:%S} UTC"
    say(f"{report.model}@{report.version} in {report.environment}, {span}: {report.rows} predictions")
    if report.note:
        say(report.note)
    shown = report.findings if every else report.alerts
    show_table(
        ("", "column", "kind", "statistic", "value", "p corrected", "effect"),
        [_row(finding) for finding in shown],
        empty=f"no alert among {len(report.findings)} findings (alpha {report.alpha}, {report.correction})",
    )
    for alert in report.alerts:
        say(f"  {alert.sentence}")


def _row(finding: Finding) -> tuple[object, ...]:
    p = "" if finding.p_corrected is None else f"{finding.p_corrected:.2g}"
    return (
        "ALERT" if finding.alert else "",
        finding.column,
        finding.kind.replace("_", " "),
        finding.statistic,
        f"{finding.value:.3f}",
        p,
        f"{finding.effect:.3f} {finding.effect_name}",
    )
