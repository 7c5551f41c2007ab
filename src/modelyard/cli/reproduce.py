"""``modelyard reproduce``."""

from __future__ import annotations

import click

from modelyard.actions.reproduce import reproduce
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.errors import NotReproduced
from modelyard.records.reproduction import Reproduction

_WORDS = {
    "identical": "identical to the bit",
    "equal": "equal within {0:g}",
    "different": "different",
}


@click.command()
@click.argument("ref", metavar="REF")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="The largest difference of a probability that is equal; by default the model's proof_tolerance.",
)
@click.option("--here", is_flag=True, help="Use the libraries that are installed, whatever they are.")
@json_option
@click.pass_context
def command(ctx: click.Context, ref: str, tolerance: float | None, here: bool, as_json: bool) -> None:
    """Train a model again from its code, data, libraries, parameters and seed; exit 1 if it comes out different.

    REF is MODEL@7, MODEL@prod, MODEL@run, or a run's id.

    \b
    Example: modelyard reproduce screening@7
    """
    found = reproduce(project(ctx), ref, tolerance=tolerance, here=here)
    if as_json:
        show_json(found)
    else:
        _show(found)
    if found.verdict == "different":
        raise NotReproduced(_complaint(found))


def _show(found: Reproduction) -> None:
    named = "" if found.ref == found.run else f"{found.ref}, "
    model = next((one for one in found.things if one.thing == "model"), None)
    exact = ", the model itself to the bit" if found.verdict == "equal" and model and model.same else ""
    say(f"{named}run {found.run} of {found.model}: {_WORDS[found.verdict].format(found.tolerance)}{exact}")
    say(f"  package {found.package[:12]}, again {found.again[:12]}, in {found.seconds:.1f} s")
    rows = [(one.thing, "same" if one.same else "differs", one.sentence) for one in found.things]
    show_table(("", "", ""), rows, empty="")


def _complaint(found: Reproduction) -> str:
    differ = [one.thing for one in found.things if not one.same and one.thing != "environment"]
    environment = next((one for one in found.things if one.thing == "environment" and not one.same), None)
    reason = (
        "the environment is not as it was"
        if environment
        else "code, data, libraries, parameters and seed are as they were, so its training draws something that no seed "
        "fixes; give data.seed to what draws"
    )
    return f"{found.ref} came out different ({', '.join(differ)}): {reason}."
