"""``modelyard feedback``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.feedback import feedback
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("model")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--environment", help="Where the predictions were made; by default the last where it is live.")
@click.option(
    "--by",
    metavar="COLUMN[,COLUMN]",
    default="",
    help="Which prediction a row is of: request_id, client_id, or features that tell.",
)
@click.option("--outcome", metavar="COLUMN", help="What turned out true; by default 'outcome' or the target.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    file: Path,
    environment: str | None,
    by: str,
    outcome: str | None,
    as_json: bool,
) -> None:
    """Tell the true outcomes of predictions, from a CSV, JSON Lines or Parquet file.

    \b
    Example: modelyard feedback screening outcomes.csv
    """
    columns = [name.strip() for name in by.split(",") if name.strip()]
    done = feedback(project(ctx), model, file, environment=environment, by=columns, outcome=outcome)
    if as_json:
        show_json(done)
        return
    say(
        f"{done.told:,} outcome{'s' * (done.told > 1)} of {done.model} in {done.environment} kept: {done.joined:,} joined to their "
        f"predictions by {', '.join(done.by)}, {done.unknown:,} of predictions that are not known yet"
    )
    for count, what in (
        (done.repeated, "said what was known already"),
        (done.corrected, "correct what was told before: the last to arrive counts"),
        (done.early, "came to be true before their prediction was made"),
    ):
        if count:
            say(f"  {count:,} {what}")
    if done.refused:
        say(f"{done.refused:,} rows refused:")
        for refused in done.reasons:
            say(f"  row {refused.row} {refused.reason}")
    say(f"{done.labelled:,} predictions have an outcome now")
