"""``modelyard doctor``."""

from __future__ import annotations

import click

from modelyard.actions.doctor import doctor
from modelyard.cli.output import json_option, project, say, show_json


@click.command()
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """Look for what is wrong with the yard and the services here; exit 1 when something is.

    Every stored file is read: artifacts, and the rows of all dataset versions.

    \b
    Example: modelyard doctor
    """
    problems = doctor(project(ctx))
    sound = all(problem.waste for problem in problems)
    if as_json:
        show_json(problems)
    else:
        for problem in problems:
            say(f"{problem.where}: {problem.sentence} {problem.fix}")
        if sound:
            say(
                "Nothing is wrong: the database, the audit chain, the artifacts, the datasets and the services agree."
            )
    return 0 if sound else 1
