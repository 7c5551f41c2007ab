"""``modelyard evaluate``."""

from __future__ import annotations

import click

from modelyard import gates
from modelyard.actions.evaluate import Evaluated, evaluate
from modelyard.cli.output import json_option, project, say, show_json, show_table


@click.command()
@click.argument("ref", metavar="MODEL[@VERSION]")
@json_option
@click.pass_context
def command(ctx: click.Context, ref: str, as_json: bool) -> None:
    """Test a model on the held-back rows and write the report; exit 1 if a gate fails.

    \b
    Example: modelyard evaluate screening@prod
    """
    evaluated = evaluate(project(ctx), ref)
    if as_json:
        show_json(evaluated.report)
    else:
        show(evaluated)
    gates.refuse(evaluated.report.gates)


def show(evaluated: Evaluated) -> None:
    """Metrics, gates and where the report is."""
    report = evaluated.report
    rows = [(m.name, f"{m.value:.4f}", f"{m.low:.4f} to {m.high:.4f}") for m in report.metrics]
    show_table(("metric", "value", "95 % interval"), rows, empty="no metrics")
    for outcome in report.gates:
        say(f"{'passed' if outcome.passed else 'FAILED'}: {outcome.sentence}")
    say(f"report: {evaluated.html}")
