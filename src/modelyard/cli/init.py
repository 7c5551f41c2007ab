"""``modelyard init``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from modelyard.actions.init import init
from modelyard.cli.output import say
from modelyard.scaffold import Choices
from modelyard.scaffold.choices import DOCS_LICENCES, FLOWS, LICENCES, SYSTEMS, TEMPLATES


@click.command()
@click.argument("name")
@click.option(
    "--template",
    type=click.Choice(TEMPLATES),
    help="What to begin with; classification, or blank in a repository that holds something.",
)
@click.option("--ci", type=click.Choice(SYSTEMS), help="Write the pipeline of this forge too.")
@click.option(
    "--flow",
    type=click.Choice(FLOWS),
    default="trunk",
    show_default=True,
    help="What the pipeline deploys: main and tags, or branches named like environments.",
)
@click.option(
    "--license",
    "licence",
    type=click.Choice(LICENCES),
    default="mit",
    show_default=True,
    help="Of the code.",
)
@click.option(
    "--docs-license", "docs_licence", type=click.Choice(DOCS_LICENCES), help="Of docs/, when another."
)
@click.option(
    "--repository", default="", help="Its address, for the badge; by default that of git's 'origin'."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65533),
    default=8101,
    show_default=True,
    help="The first environment's; the others follow.",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Where; by default ./NAME.")
def command(port: int, folder: Path | None, **chosen: Any) -> None:
    """Write a new project that builds and passes its tests at once.

    In a git repository (--folder .) only what is missing is added, and nothing there is changed but .gitignore.

    \b
    Example: modelyard init screening
             modelyard init demand --template timeseries --ci gitlab
             modelyard init screening --folder . --ci github --docs-license ogl
    """
    choices = Choices(ports=(port, port + 1, port + 2), **chosen)
    place = folder or Path(choices.name)
    done = init(place, choices)
    if done.kept:
        names = ", ".join(str(path.relative_to(place.resolve())) for path in done.kept)
        say(f"left as they were: {names}")
    written = f"{len(done.files)} file{'s' if len(done.files) > 1 else ''}"
    told = f"{written} added to {place}" if done.kept else f"{place} holds a new project of {written}"
    following = "make all" if done.choices.template == "blank" else "modelyard build"
    say(f"{told}. Next: {'' if place == Path() else f'cd {place} && '}{following}")
