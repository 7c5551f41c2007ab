"""``modelyard monitor``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from modelyard.actions.history import expose, history, recalled, write
from modelyard.actions.monitor import Asked, monitor
from modelyard.cli.moment import Moment
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.errors import Alerted, Misuse
from modelyard.project import Project
from modelyard.records.finding import Finding, WindowReport
from modelyard.records.window import ExaminedWindow

_SHOWN = 20
"""Windows of the history that are shown unless asked for otherwise."""


@click.command()
@click.argument("environment")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--window", "period", metavar="PERIOD", help="A month, week, day or hour: 2026-11-20.")
@click.option("--since", type=Moment(), help="The window's begin.")
@click.option("--until", type=Moment(), help="The window's end; by default now.")
@click.option("--each", is_flag=True, help="All windows of the settings' length between both.")
@click.option(
    "--last", type=click.IntRange(1, 10_000), metavar="N", help="The newest N windows that are over."
)
@click.option("--history", "past", is_flag=True, help="Examine nothing; show what was found before.")
@click.option(
    "--report",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a report: FILE.html, FILE.md or FILE.json.",
)
@click.option(
    "--prometheus",
    "metrics",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every finding for Prometheus' node exporter: FILE.prom.",
)
@click.option("--all", "every", is_flag=True, help="Show every finding, not only alerts.")
@click.option("--fail", is_flag=True, help="Exit 1 on an alert.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    environment: str,
    models: tuple[str, ...],
    period: str | None,
    since: dt.datetime | None,
    until: dt.datetime | None,
    each: bool,
    last: int | None,
    past: bool,
    file: Path | None,
    metrics: Path | None,
    every: bool,
    fail: bool,
    as_json: bool,
) -> None:
    """Compare windows of logged predictions with what the model was trained on; the newest by default.

    \b
    Example: modelyard monitor prod screening --fail
             modelyard monitor prod screening --window 2026-11-20
             modelyard monitor prod --last 24
             modelyard monitor prod --history
    """
    asked = _asked(period, since, until, each=each, last=last, past=past)
    here = project(ctx)
    if past:
        found = history(here, environment, models, since=since, until=until, limit=last or _SHOWN)
        if found and (file or metrics):
            _write(here, [recalled(here, window) for window in found], file, metrics, quiet=as_json)
        _past(found, as_json)
        return
    names = models or tuple(here.settings.models)
    reports = [report for name in names for report in monitor(here, environment, name, asked=asked)]
    _write(here, reports, file, metrics, quiet=as_json)
    if as_json:
        show_json(reports)
    elif len(reports) > len(names):
        _course(reports)
    else:
        for report in reports:
            _show(report, every)
    alerts = [f"{r.model}: {a.column or a.kind}" for r in reports for a in r.alerts]
    if fail and alerts:
        raise Alerted(
            f"{len(alerts)} alerts in {environment}: {', '.join(list(dict.fromkeys(alerts))[:10])}."
        )


def _write(
    here: Project, reports: list[WindowReport], file: Path | None, metrics: Path | None, *, quiet: bool
) -> None:
    if file:
        say(f"wrote {write(here, reports, file)}", err=quiet)
    if metrics:
        say(f"wrote {expose(here, reports, metrics)}", err=quiet)


def _asked(
    period: str | None,
    since: dt.datetime | None,
    until: dt.datetime | None,
    *,
    each: bool,
    last: int | None,
    past: bool,
) -> Asked:
    if period is not None and (since or until or each or last or past):
        raise Misuse(
            "--window names a window: --since, --until, --each, --last and --history do not go with it."
        )
    if last is not None and since is not None and not past:
        raise Misuse("--last counts back from --until: --since does not go with it.")
    if each and since is None:
        raise Misuse("--each goes with --since, from which on windows are cut.")
    if since is not None and until is not None and since >= until:
        raise Misuse("--since is before --until.")
    return Asked(period=period, since=since, until=until, each=each, last=last)


def _show(report: WindowReport, every: bool) -> None:
    days = report.start.date() != report.end.date()
    end = f"{report.end:%Y-%m-%d %H:%M:%S}" if days else f"{report.end:%H:%M:%S}"
    span = f"{report.start:%Y-%m-%d %H:%M:%S} to {end} UTC"
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
        " in ".join(part for part in (finding.column, finding.slice) if part),
        finding.kind.replace("_", " "),
        finding.statistic,
        f"{finding.value:.3f}",
        p,
        f"{finding.effect:.3f} {finding.effect_name}",
    )


def _course(reports: list[WindowReport]) -> None:
    """One line a window."""
    show_table(
        ("window (UTC)", "to", "version", "rows", "alerts", ""),
        [
            (
                f"{r.start:%Y-%m-%d %H:%M}",
                f"{r.end:%Y-%m-%d %H:%M}",
                f"{r.model}@{r.version}",
                r.rows,
                "-" if r.note else len(r.alerts),
                _named([(a.kind, a.column) for a in r.alerts]),
            )
            for r in reports
        ],
        empty="no windows",
    )


def _past(windows: list[ExaminedWindow], as_json: bool) -> None:
    if as_json:
        show_json(windows)
        return
    show_table(
        ("window (UTC)", "to", "version", "rows", "alerts", "", "examined"),
        [
            (
                f"{w.start:%Y-%m-%d %H:%M}",
                f"{w.end:%Y-%m-%d %H:%M}",
                f"{w.model}@{w.version}",
                w.rows,
                len(w.alerts) if w.judged else "-",
                _named([(b.kind, b.column) for b in w.alerts]),
                f"{w.examined:%Y-%m-%d %H:%M}",
            )
            for w in windows
        ],
        empty="no window was examined yet",
    )


def _named(alerts: list[tuple[str, str]]) -> str:
    names = list(dict.fromkeys(column or kind.replace("_", " ") for kind, column in alerts))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
