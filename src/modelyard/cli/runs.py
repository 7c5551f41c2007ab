"""``modelyard runs``."""

from __future__ import annotations

import click

from modelyard.actions.look import runs
from modelyard.cli.output import json_option, project, show_json, show_table


@click.command()
@click.argument("model", required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, model: str | None, as_json: bool) -> None:
    """List trainings, newest first.

    \b
    Example: modelyard runs screening --json
    """
    found = runs(project(ctx), model)
    if as_json:
        show_json(found)
        return
    show_table(
        ("run", "model", "status", "data", "seconds", "commit", "parameters", "error"),
        [
            (
                r.id,
                r.model,
                r.status,
                r.dataset,
                f"{r.seconds:.1f}",
                f"{(r.code.commit or '-')[:8]}{'*' if r.code.dirty else ''}",
                ", ".join(f"{k}={v}" for k, v in r.params.items()),
                (r.error or "")[:60],
            )
            for r in found
        ],
        empty="Nothing was trained yet; run 'modelyard train MODEL'.",
    )
