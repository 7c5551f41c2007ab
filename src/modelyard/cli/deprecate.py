"""``modelyard deprecate``."""

from __future__ import annotations

import click

from modelyard.actions.deprecate import deprecate, reinstate
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@click.argument("ref", metavar="MODEL@VERSION")
@click.option("--reason", help="Why; it stands in the audit trail.")
@click.option(
    "--successor", metavar="VERSION", help="Which to use instead: a number, MODEL@VERSION or an alias."
)
@click.option("--undo", is_flag=True, help="It may be used again.")
@json_option
@click.pass_context
def command(
    ctx: click.Context, ref: str, reason: str | None, successor: str | None, undo: bool, as_json: bool
) -> None:
    """Say that a version is to be used no more: it is promoted and deployed no more.

    What is live stays so until it is replaced.

    \b
    Example: modelyard deprecate screening@7 --reason "Trained on mislabelled rows" --successor 8
    """
    if undo == bool(reason) or (undo and successor):
        raise click.UsageError("Give either --reason, with or without --successor, or --undo.")
    here = project(ctx)
    if undo:
        marks = reinstate(here, ref)
    else:
        model = ref.partition("@")[0]
        whole = successor if successor is None or "@" in successor else f"{model}@{successor}"
        marks = deprecate(here, ref, reason=reason or "", successor=whole)
    if as_json:
        show_json(marks)
        return
    told = marks.deprecated
    instead = f"; use {marks.model}@{told.successor} instead" if told and told.successor else ""
    state = f"is deprecated: {told.reason}" if told else "may be used"
    say(f"{marks.model}@{marks.version} {state}{instead}")
