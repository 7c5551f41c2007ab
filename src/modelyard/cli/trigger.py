"""``modelyard trigger``."""

from __future__ import annotations

import click

from modelyard.cli.output import json_option, project, say, show_json
from modelyard.errors import Alerted, Misuse
from modelyard.project import Project
from modelyard.triggers import Pursued, consider, pursue


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option(
    "--dry-run", is_flag=True, help="Say what would be decided; no decision is recorded, nothing done."
)
@click.option(
    "--now", "by_hand", is_flag=True, help="A trigger by hand: only broken data keeps it from a build."
)
@click.option(
    "--fail", is_flag=True, help="Exit 1 when a person is wanted: blocked, asked, or ended without success."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, models: tuple[str, ...], dry_run: bool, by_hand: bool, fail: bool, as_json: bool
) -> None:
    """Look at the triggers once, put the decisions on record, and carry them out as far as that goes now.

    \b
    Example: modelyard trigger
             modelyard trigger screening --dry-run
             modelyard trigger screening --now
    """
    here = project(ctx)
    found = [_one(here, model, dry_run, by_hand) for model in models or _all(here)]
    if as_json:
        show_json(found)
    else:
        for one in found:
            _show(one)
    unwell = [one.decision.model for one in found if _unwell(one)]
    if fail and unwell:
        raise Alerted(f"A person is wanted for {', '.join(unwell)}; what was decided and done says why.")


def _all(here: Project) -> tuple[str, ...]:
    if not here.settings.triggers:
        raise Misuse("modelyard.toml has no [triggers.MODEL]; add one, or name a model.")
    return tuple(here.settings.triggers)


def _one(here: Project, model: str, dry_run: bool, by_hand: bool) -> Pursued:
    if dry_run:
        return Pursued(decision=consider(here, model, by_hand=by_hand, dry=True))
    return pursue(here, model, by_hand=by_hand)


def _show(found: Pursued) -> None:
    decision = found.decision
    say(f"{decision.model}: {decision.verdict} ({decision.why.replace('_', ' ')}). {decision.reason}")
    for note in decision.notes:
        say(f"  could not be looked at: {note}")
    for one in (found.retraining, found.then):
        if one is None:
            continue
        told = f"ended, {one.outcome.replace('_', ' ')}: {one.said}" if one.outcome else f"waits: {one.waits}"
        say(f"  retraining {one.number} {told}")


def _unwell(found: Pursued) -> bool:
    outcome = found.retraining.outcome if found.retraining else None
    return found.decision.verdict in ("ask", "block") or outcome in (
        "refused",
        "failed",
        "rolled_back",
        "lapsed",
    )
