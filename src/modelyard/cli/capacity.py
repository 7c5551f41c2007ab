"""``modelyard capacity``."""

from __future__ import annotations

import math
from pathlib import Path

import click

from modelyard.actions.capacity import capacity, write
from modelyard.cli.output import json_option, say, show_json, show_table
from modelyard.errors import Misuse
from modelyard.records.capacity import Prices, Wish
from modelyard.render.capacity import reckoning, summary, table

_FILE = click.Path(path_type=Path, dir_okay=False)
_MORE = click.FloatRange(min=0, min_open=True)
_PRICE = click.FloatRange(min=0)


@click.command()
@click.argument("test", metavar="LOADTEST", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--rate", type=_MORE, help="Requests a second at the peak.")
@click.option("--users", type=click.IntRange(min=1), help="Instead of --rate: so many people at once.")
@click.option("--every", type=_MORE, help="Seconds between a user's requests.")
@click.option("--mean", type=_MORE, help="Requests a second through the day; by default the peak.")
@click.option(
    "--filled",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=0.7,
    show_default=True,
    help="The share of what a replica sustains that it is planned for.",
)
@click.option(
    "--spare", type=click.IntRange(min=0), default=1, show_default=True, help="Replicas that may be missing."
)
@click.option("--price-core", type=_PRICE, help="An hour of a core.")
@click.option("--price-memory", type=_PRICE, help="An hour of a GiB of memory.")
@click.option("--price-replica", type=_PRICE, help="An hour of a replica, beside the others.")
@click.option("--price-log", type=_PRICE, help="A GiB of prediction log.")
@click.option("--html", "page", type=_FILE, help="Write a page that opens anywhere.")
@click.option("--markdown", "text", type=_FILE, help="Write Markdown.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    test: Path,
    rate: float | None,
    users: int | None,
    every: float | None,
    mean: float | None,
    filled: float,
    spare: int,
    price_core: float | None,
    price_memory: float | None,
    price_replica: float | None,
    price_log: float | None,
    page: Path | None,
    text: Path | None,
    as_json: bool,
) -> None:
    """What a load takes within the promises: replicas, cores, memory, log, money.

    LOADTEST is what 'modelyard loadtest --json' printed, into a file. The answer is no, exit 1, when not even its lowest
    level kept the promises.

    \b
    Example: modelyard capacity load.json --rate 5000 --price-core 0.04 --html capacity.html
             where modelyard loadtest screening@1 --steps 5 --slo p99=50ms --json > load.json
    """
    for given in (rate, every, mean, price_core, price_memory, price_replica, price_log):
        if given is not None and not math.isfinite(given):
            raise Misuse(f"{given} is no number to reckon with; give a finite one.")
    peak = _peak(rate, users, every)
    wish = Wish(
        rate=peak,
        mean=peak if mean is None else mean,
        users=users,
        every=every,
        filled=filled,
        spare=spare,
        prices=Prices(core=price_core, memory=price_memory, replica=price_replica, log=price_log),
    )
    found = capacity(test, wish)
    written = write(found, page=page, text=text)
    if as_json:
        show_json(found)
    else:
        show_table(("", "of a replica", "of all"), table(found), empty="")
        for line in (summary(found), *reckoning(found), *([found.doubtful] if found.doubtful else [])):
            say(line)
        for path in written:
            say(f"wrote {path}")
    if not found.met:
        ctx.exit(1)


def _peak(rate: float | None, users: int | None, every: float | None) -> float:
    if rate is not None and users is None and every is None:
        return rate
    if rate is None and users is not None and every is not None:
        return users / every
    raise Misuse("Say how large the load is: --rate 5000, or --users 20000 --every 10.")
