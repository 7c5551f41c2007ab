"""``modelyard versions``."""

from __future__ import annotations

import sys

import click
import msgspec

from modelyard.actions.alias import alias, unalias
from modelyard.actions.inspect import Document, document, inspect
from modelyard.actions.look import Registered, versions
from modelyard.actions.note import note
from modelyard.actions.tag import tag
from modelyard.cli.output import json_option, project, say, show_json, show_table

where_option = click.option(
    "--where",
    default="",
    metavar="FILTER",
    help="Only those of which it is true: \"metrics.roc_auc > 0.9 and tags.team = 'risk'\".",
)


class _Listing(click.Group):  # its methods' arguments are click's
    """A word that is no subcommand is a model to list."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "list", list_, args


@click.group(cls=_Listing, invoke_without_command=True, subcommand_metavar="[MODEL | COMMAND [ARGS]...]")
@where_option
@json_option
@click.pass_context
def command(ctx: click.Context, where: str, as_json: bool) -> None:
    """Registered versions: find them, show one, say something of it.

    A FILTER compares version, registered, by, dataset, run, note, metrics.NAME and tags.NAME; deprecated,
    aliases.NAME, admitted.ENVIRONMENT and live.ENVIRONMENT are true or false by themselves. With and, or, not,
    in (...), is null, + - * / and (...).

    \b
    Example: modelyard versions screening
             modelyard versions --where "metrics.roc_auc > 0.9 and not deprecated"
             modelyard versions show screening@1 --sbom
             modelyard versions tag screening@1 team=risk
    """
    if not ctx.invoked_subcommand:
        _list(ctx, None, where, as_json)


@command.command("list")
@click.argument("model", required=False)
@where_option
@json_option
@click.pass_context
def list_(ctx: click.Context, model: str | None, where: str, as_json: bool) -> None:
    """Registered versions, as without a subcommand.

    \b
    Example: modelyard versions list screening
    """
    above = ctx.parent.params if ctx.parent else {}
    _list(ctx, model, where or above.get("where", ""), as_json or bool(above.get("as_json")))


@command.command("show")
@click.argument("ref", metavar="MODEL[@VERSION]")
@click.option("--sbom", "kind", flag_value="sbom", help="Print its bill of materials (CycloneDX 1.6).")
@click.option("--provenance", "kind", flag_value="provenance", help="Print its signed provenance (SLSA v1).")
@click.option("--card", "kind", flag_value="card", help="Print the model card that stands beside it.")
@click.option("--report", "kind", flag_value="report", help="Print the report on it.")
@json_option
@click.pass_context
def show_(ctx: click.Context, ref: str, kind: Document | None, as_json: bool) -> None:
    """One version's package: what it holds, who signed it, what is attested.

    \b
    Example: modelyard versions show screening@1
             modelyard versions show screening@1 --sbom > screening.cdx.json
    """
    here = project(ctx)
    if kind:
        content = document(here, ref, kind)
        if kind == "card":
            say(content.decode().rstrip("\n"))
        elif sys.stdout.isatty():
            say(msgspec.json.format(content, indent=2).decode())
        else:
            click.echo(content, nl=False)  # the bytes that the provenance names
        return
    found = inspect(here, ref)
    if as_json:
        show_json(found)
        return
    package = found.package
    say(f"{ref}: package {package.digest}")
    if found.version is not None:
        _said(found.version)
    say(f"  holds       {found.files} files, {found.size:,} bytes; serves {found.form}")
    say(f"  trained by  run {package.run}")
    for signed in found.signed:
        say(f"  signed by   {signed.key[:16]}, trusted in {', '.join(signed.trusted) or 'no environment'}")
    for name in ("report", "sbom", "card", "provenance"):
        say(f"  {name:<11} {getattr(package, name) or 'none yet: modelyard evaluate makes it'}")


@command.command("note")
@click.argument("ref", metavar="MODEL@VERSION")
@click.argument("text")
@json_option
@click.pass_context
def note_(ctx: click.Context, ref: str, text: str, as_json: bool) -> None:
    """Say something of a version, in place of what was said before; "" takes it away.

    \b
    Example: modelyard versions note screening@1 "Trained without the rows of March"
    """
    marks = note(project(ctx), ref, text)
    if as_json:
        show_json(marks)
        return
    say(f"{marks.model}@{marks.version}: {marks.note or 'no note'}")


@command.command("tag")
@click.argument("ref", metavar="MODEL@VERSION")
@click.argument("values", nargs=-1, required=True, metavar="NAME=VALUE...")
@json_option
@click.pass_context
def tag_(ctx: click.Context, ref: str, values: tuple[str, ...], as_json: bool) -> None:
    """Give a version tags, by which it is found; NAME= takes one away.

    \b
    Example: modelyard versions tag screening@1 team=risk audience=internal
    """
    given = {}
    for one in values:
        name, sign, value = one.partition("=")
        if not sign:
            raise click.UsageError(f"{one!r} is no tag; write NAME=VALUE, or NAME= to take one away.")
        given[name] = value
    marks = tag(project(ctx), ref, given)
    if as_json:
        show_json(marks)
        return
    say(f"{marks.model}@{marks.version}: {_pairs(marks.tags) or 'no tags'}")


@command.command("alias")
@click.argument("ref", metavar="MODEL@VERSION")
@click.argument("name")
@click.option("--remove", is_flag=True, help="Take the name away; MODEL is enough then.")
@json_option
@click.pass_context
def alias_(ctx: click.Context, ref: str, name: str, remove: bool, as_json: bool) -> None:
    """Give a version a name that every reference understands, as MODEL@NAME; whoever had it loses it.

    \b
    Example: modelyard versions alias screening@1 champion
             modelyard predict screening@champion rows.csv
    """
    here = project(ctx)
    given = unalias(here, ref.partition("@")[0], name) if remove else alias(here, ref, name)
    if as_json:
        show_json(given)
        return
    say(f"{given.model}@{name} " + ("is no more" if remove else f"is {given.model}@{given.version}"))


def _list(ctx: click.Context, model: str | None, where: str, as_json: bool) -> None:
    found = versions(project(ctx), model, where=where)
    if as_json:
        show_json(found)
        return
    show_table(
        ("version", "data", "package", "registered (UTC)", "by", "is", "tags"),
        [
            (
                v.ref,
                v.dataset,
                v.package[:12],
                f"{v.registered:%Y-%m-%d %H:%M:%S}",
                v.by,
                _is(v),
                _pairs(v.tags)[:60],
            )
            for v in found
        ],
        empty=f"No version matches {where}."
        if where
        else "Nothing is registered yet; run 'modelyard build'.",
    )


def _is(found: Registered) -> str:
    words = [f"live in {environment}" for environment in found.live]
    words += [f"@{name}" for name in found.aliases]
    if found.deprecated:
        instead = f", use @{found.deprecated.successor}" if found.deprecated.successor else ""
        words.append(f"deprecated{instead}")
    return ", ".join(words)


def _said(found: Registered) -> None:
    """Of one version, a line for each thing that is said of it."""
    told = found.deprecated
    instead = f"; use {found.model}@{told.successor}" if told and told.successor else ""
    lines = {
        "deprecated": f"by {told.by} on {told.since:%Y-%m-%d}: {told.reason}{instead}" if told else "",
        "live in": ", ".join(found.live),
        "aliases": ", ".join(f"{found.model}@{name}" for name in found.aliases),
        "tags": _pairs(found.tags),
        "note": found.note,
        "metrics": ", ".join(f"{name}={value:.4g}" for name, value in found.metrics.items()),
    }
    for name, line in lines.items():
        if line:
            say(f"  {name:<11} {line}")


def _pairs(tags: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in tags.items())
