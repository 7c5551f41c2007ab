"""What commands print: facts as tables or JSON, progress as one line on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from modelyard.project import Project, open_project
from modelyard.render.text import harmless, table

F = TypeVar("F", bound=Callable[..., Any])

json_option: Callable[[F], F] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def project(ctx: click.Context) -> Project:
    """The project that the command is about, with progress shown on a terminal."""
    opened = open_project(ctx.find_object(Path), tell=tell)
    ctx.call_on_close(opened.close)
    return opened


def tell(sentence: str) -> None:
    """Replace the progress line; silent where standard error is not a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K  {harmless(sentence)} ...")
        sys.stderr.flush()


def clear_line() -> None:
    """Take the progress line away before facts are printed."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def say(sentence: str, *, err: bool = False) -> None:
    """One line for a person, or several; on standard error where another program reads the output."""
    clear_line()
    click.echo(harmless(sentence, keep="\n\t"), err=err)


def show_json(fact: object) -> None:
    """A record, or a list of them, as indented JSON."""
    clear_line()
    encoded = msgspec.json.encode(fact, enc_hook=str)
    click.echo(msgspec.json.format(encoded, indent=2))


def show_table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Aligned columns, or the sentence ``empty`` when there is nothing to show."""
    clear_line()
    lines = [["" if cell is None else str(cell) for cell in row] for row in rows]
    click.echo(table(headers, lines) if lines else empty)
