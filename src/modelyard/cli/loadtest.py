"""``modelyard loadtest``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from modelyard.actions.loadtest import loadtest, write
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.errors import Misuse
from modelyard.records.load import Load, LoadTest

_PROCESS_USERS = 2000


@click.command()
@click.argument("target", metavar="MODEL[@VERSION]|URL")
@click.option(
    "--users", type=click.IntRange(1, 200_000), default=64, show_default=True, help="Connections at most."
)
@click.option("--think", type=click.FloatRange(min=0), default=0.0, help="Seconds between a user's requests.")
@click.option(
    "--rate", type=click.FloatRange(min=0.1), help="Requests a second that arrive whatever happens."
)
@click.option(
    "--steps",
    type=click.IntRange(1, 50),
    default=1,
    show_default=True,
    help="Levels of load, up to the whole.",
)
@click.option(
    "--seconds", type=click.FloatRange(min=0.5), default=10.0, show_default=True, help="Of each level."
)
@click.option(
    "--ramp",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="Seconds of growing, not counted.",
)
@click.option("--rows", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Of one request.")
@click.option("--data", metavar="FILE|DATASET", help="Rows to send; by default of the model's dataset.")
@click.option(
    "--slo",
    "promises",
    multiple=True,
    metavar="PROMISE",
    help="p99=50ms, errors=0.1%, rate=500: broken, exit code 1.",
)
@click.option(
    "--target-rate", type=click.FloatRange(min=0.1), help="Estimate replicas for so many requests a second."
)
@click.option("--cost", type=click.FloatRange(min=0), help="An hour of a replica, for the estimate.")
@click.option("--processes", type=click.IntRange(1, 64), help="That ask; by default one for 2,000 users.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=10.0, show_default=True)
@click.option("--token-env", metavar="NAME", help="The environment variable that holds a token.")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page that opens anywhere.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    target: str,
    users: int,
    think: float,
    rate: float | None,
    steps: int,
    seconds: float,
    ramp: float,
    rows: int,
    data: str | None,
    promises: tuple[str, ...],
    target_rate: float | None,
    cost: float | None,
    processes: int | None,
    timeout: float,
    token_env: str | None,
    page: Path | None,
    as_json: bool,
) -> None:
    """A service under load: latencies, promises kept or broken, and what a larger load would take.

    A reference is served for the test, NAME@ENVIRONMENT and a URL are asked where they are.

    \b
    Example: modelyard loadtest screening@1 --users 64 --seconds 5 --slo p99=50ms
             modelyard loadtest screening@prod --rate 500 --steps 5 --html load.html
    """
    if rate is not None and think:
        raise Misuse("--think is of users, --rate of arrivals: give one of them.")
    most = float(users) if rate is None else rate
    load = Load(
        url="",
        model="closed" if rate is None else "open",
        levels=tuple(_levels(most, steps, whole=rate is None)),
        seconds=seconds,
        ramp=ramp,
        users=users,
        think=think,
        timeout=timeout,
    )
    found = loadtest(
        project(ctx),
        target,
        load=load,
        promises=promises,
        data=data,
        rows=rows,
        processes=processes or -(-users // _PROCESS_USERS),
        token=_token(token_env),
        wanted=target_rate,
        cost=cost,
    )
    if page:
        write(found, page)
    if as_json:
        show_json(found)
    else:
        _show(found, page)
    if not found.passed:
        ctx.exit(1)


def _levels(most: float, steps: int, *, whole: bool) -> list[float]:
    levels = [most * step / steps for step in range(1, steps + 1)]
    return [float(max(1, round(level))) for level in levels] if whole else levels


def _token(name: str | None) -> str | None:
    if name is None:
        return None
    if not os.environ.get(name):
        raise Misuse(f"The environment variable {name} holds no token; set it.")
    return os.environ[name]


def _show(found: LoadTest, page: Path | None) -> None:
    def ms(value: float | None) -> str:
        if value is None:
            return "-"
        return f"{1e3 * value:,.0f}" if value >= 0.1 else f"{1e3 * value:.3g}"

    unit = "users" if found.load.model == "closed" else "requests/s"
    rows = [
        (
            f"{level.level:,.0f}",
            f"{level.rate:,.0f}",
            *(ms(value) for value in (level.p50, level.p90, level.p99, level.p999, level.slowest)),
            f"{level.failed:.2%}",
        )
        for level in found.levels
    ]
    titles = (unit, "answers/s", "p50 ms", "p90", "p99", "p99.9", "slowest", "failed")
    show_table(titles, rows, empty="no levels")
    for cause, count in found.levels[-1].errors.items():
        say(f"{count:,} without an answer: {cause}")
    for verdict in found.verdicts:
        say(f"{'kept' if verdict.met else 'broken':<7} {verdict.promise}: {verdict.shown}")
    if found.estimate:
        guess = found.estimate
        paid = "" if guess.cost is None else f", {guess.cost:,.2f} an hour"
        more = " at least" if guess.at_least else ""
        say(
            f"For {guess.target:,.0f} requests/s: {guess.replicas} replicas{paid}; one answers {guess.capacity:,.0f}/s{more}"
        )
    if found.doubtful:
        say(found.doubtful)
    if page:
        say(f"Report: {page}")
