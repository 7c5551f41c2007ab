"""``modelyard data``."""

from __future__ import annotations

import click

from modelyard.actions.look import data
from modelyard.cli.output import json_option, project, show_json, show_table


@click.command()
@click.argument("dataset", required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, dataset: str | None, as_json: bool) -> None:
    """List dataset versions.

    \b
    Example: modelyard data patients
    """
    found = data(project(ctx), dataset)
    if as_json:
        show_json(found)
        return
    show_table(
        ("version", "rows", "test rows", "columns", "digest", "ingested (UTC)"),
        [
            (
                v.ref,
                v.rows,
                v.test_rows,
                len(v.schema.columns),
                v.digest[:12],
                f"{v.created:%Y-%m-%d %H:%M:%S}",
            )
            for v in found
        ],
        empty="Nothing was ingested yet; run 'modelyard ingest'.",
    )
