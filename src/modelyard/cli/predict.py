"""``modelyard predict``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.predict import predict
from modelyard.cli.output import json_option, project, show_json, show_table
from modelyard.records.package import Form


@click.command()
@click.argument("ref", metavar="MODEL[@VERSION]")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--form", type=click.Choice(["onnx", "native"]), help="Ask this form; by default the one that serves."
)
@json_option
@click.pass_context
def command(ctx: click.Context, ref: str, file: Path, form: Form | None, as_json: bool) -> None:
    """Answer for the rows of a CSV or Parquet file, without a service.

    \b
    Example: modelyard predict screening@prod rows.csv
    """
    answers = predict(project(ctx), ref, file, form=form)
    if as_json:
        show_json(answers)
        return
    beside = answers.probability or answers.quantiles or [[] for _ in answers.prediction]
    rows = [
        (at, label, *(f"{number:.4f}" for number in row))
        for at, (label, row) in enumerate(zip(answers.prediction, beside, strict=True), start=1)
    ]
    titles = (*map(str, answers.classes), *(f"{level:g}" for level in answers.levels))
    show_table(("row", "prediction", *titles), rows, empty="no rows")
