"""``modelyard predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.actions.predict import predict
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.errors import Misuse
from modelyard.records.package import Form

if TYPE_CHECKING:
    from modelyard.actions.explain import Explained


@click.command()
@click.argument("ref", metavar="MODEL[@VERSION]")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--form", type=click.Choice(["onnx", "native"]), help="Ask this form; by default the one that serves."
)
@click.option("--explain", is_flag=True, help="Walk one row through check, features, model and output.")
@click.option("--row", type=click.IntRange(min=1), help="The row to explain, from 1.")
@click.option(
    "--label", metavar="NAME", help="Of several labels the one to explain; by default the likeliest."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    ref: str,
    file: Path,
    form: Form | None,
    explain: bool,
    row: int | None,
    label: str | None,
    as_json: bool,
) -> None:
    """Answer for the rows of a CSV or Parquet file, without a service.

    \b
    Example: modelyard predict screening@prod rows.csv
             modelyard predict screening@prod rows.csv --explain --row 3
    """
    for option, given in (("--row", row), ("--label", label)):
        if given is not None and not explain:
            raise Misuse(f"{option} goes with --explain.")
    if explain:
        from modelyard.actions.explain import explain as explained

        found = explained(project(ctx), ref, file, row=row or 1, form=form, label=label)
        show_json(found) if as_json else _explain(found)
        if found.refused:
            ctx.exit(1)
        return
    answers = predict(project(ctx), ref, file, form=form)
    if as_json:
        show_json(answers)
        return
    beside = answers.probability or answers.quantiles or [[] for _ in answers.prediction]
    rows = [
        (at, ", ".join(label) if isinstance(label, list) else label, *(f"{number:.4f}" for number in row))
        for at, (label, row) in enumerate(zip(answers.prediction, beside, strict=True), start=1)
    ]
    titles = (*map(str, answers.classes), *(f"{level:g}" for level in answers.levels))
    show_table(("row", "prediction", *titles), rows, empty="no rows")


def _explain(found: Explained) -> None:
    if found.refused:
        say(f"check   row {found.row} is refused")
        for sentence in found.refused:
            say(f"        {sentence}")
        return
    marked = [feature for feature in found.features if feature.mark]
    said = ", ".join(f"{feature.name} ({feature.mark})" for feature in marked)
    say(f"check   row {found.row} fits the schema" + (f"; unlike the training data: {said}" if said else ""))
    say(f"model   {found.package[:12]}, {found.form}")
    beside = found.probability or found.quantiles
    numbers = ", ".join(f"{name} {number:.4g}" for name, number in beside.items())
    told = (
        ", ".join(map(str, found.prediction)) or "none"
        if isinstance(found.prediction, list)
        else found.prediction
    )
    say(f"answer  {told}" + (f"  ({numbers})" if numbers else ""))
    assert found.base is not None
    assert found.answer is not None
    say(
        f"\nWhat moves {found.of} from {found.base:.4g}, its mean over {found.background}, to {found.answer:.4g}:"
    )
    rows = [
        (
            feature.name,
            _value(feature.value),
            _value(feature.typical),
            f"{feature.contribution:+.4f}",
            f"{feature.error:.4f}",
        )
        for feature in found.features
    ]
    show_table(("feature", "value", "typical", "moves it by", "standard error"), rows, empty="no features")


def _value(value: object) -> str:
    return "missing" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
