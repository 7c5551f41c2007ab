"""``modelyard train``."""

from __future__ import annotations

import click

from modelyard.actions.train import train
from modelyard.cli.output import json_option, project, say, show_json
from modelyard.cli.studies import study_line, trial_line
from modelyard.records.run import Scalar


@click.command()
@click.argument("model")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter for this run.")
@json_option
@click.pass_context
def command(ctx: click.Context, model: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Train a model on the latest version of its data, and seal it as a candidate.

    \b
    Example: modelyard train screening --set C=0.5
    """
    report = None if as_json else trial_line
    run = train(project(ctx), model, params=dict(_pair(s) for s in settings), report=report)
    if as_json:
        show_json(run)
        return
    if run.study:
        say(study_line(run.study))
    params = ", ".join(f"{k}={v}" for k, v in run.params.items()) or "no parameters"
    say(f"run {run.id}: {model} trained on {run.dataset} in {run.seconds:.1f} s ({params})")
    say(f"package {run.candidate}")


def _pair(text: str) -> tuple[str, Scalar]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.BadParameter(f"'{text}' is not NAME=VALUE", param_hint="--set")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, {"true": True, "false": False}.get(value, value)
