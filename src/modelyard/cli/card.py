"""``modelyard card``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from modelyard.actions.card import attest, begin, card, page
from modelyard.actions.written import written
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.documents import Document
from modelyard.errors import CheckFailed, Misuse

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("ref", metavar="NAME[@VERSION]")
@click.option(
    "--template",
    metavar="DOCUMENT",
    help="For a model card (the default), annex-iv, atrs or dtac; for data datasheet; or a file that ends in .md.",
)
@click.option(
    "--as", "kind", type=click.Choice(["markdown", "html"]), help="By default by the file's ending."
)
@click.option("-o", "--output", type=_FILE, help="Write it here instead of showing it.")
@click.option("--open", "questions", is_flag=True, help="List the questions that are still open.")
@click.option("--begin", "start", is_flag=True, help="Begin the file in which people answer them.")
@click.option(
    "--attest", "attesting", is_flag=True, help="Put the model card as it is now beside the package."
)
@click.option("--fail", is_flag=True, help="Exit 1 while a question is open.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    ref: str,
    template: str | None,
    kind: Literal["markdown", "html"] | None,
    output: Path | None,
    questions: bool,
    start: bool,
    attesting: bool,
    fail: bool,
    as_json: bool,
) -> None:
    """A document about a model or a dataset, filled in from records; what no record knows is marked as open.

    \b
    Example: modelyard card screening@prod -o README.md
             modelyard card screening --template annex-iv --as html -o annex-iv.html
             modelyard card patients@3 --open
    """
    here = project(ctx)
    if start:
        say(f"began {begin(here, ref)}; what you answer there stands in every document that asks it")
        return
    found = card(here, ref, template=template)
    if attesting:
        if template is not None:
            raise Misuse("--attest is of the model card; leave --template out.")
        done = attest(here, ref)
        say(f"the card of {ref} stands beside package {done.digest[:12]}")
    elif as_json:
        show_json(found)
    elif questions:
        show_table(("id", "question"), [(o.id, o.question) for o in found.open], empty="no question is open")
    else:
        _hand_out(found, kind, output)
    if fail and found.open:
        raise CheckFailed(
            f"{len(found.open)} questions of the {found.title.lower()} of {found.ref} are open: "
            f"{', '.join(one.id for one in found.open[:5])}{', ...' if len(found.open) > 5 else ''}; "
            f"answer them in cards/{ref.partition('@')[0]}.toml."
        )


def _hand_out(found: Document, kind: Literal["markdown", "html"] | None, output: Path | None) -> None:
    html = kind == "html" or (kind is None and output is not None and output.suffix in (".html", ".htm"))
    text = page(found) if html else found.text
    if output is None:
        say(text.rstrip("\n"))
        return
    written(output, text)
    say(f"wrote {output}; open questions: {len(found.open)}")
