"""``modelyard versions``."""

from __future__ import annotations

import sys

import click
import msgspec

from modelyard.actions.inspect import Document, document, inspect
from modelyard.actions.look import versions
from modelyard.cli.output import json_option, project, say, show_json, show_table


class _Listing(click.Group):  # its methods' arguments are click's
    """A word that is no subcommand is a model to list."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "list", list_, args


@click.group(cls=_Listing, invoke_without_command=True, subcommand_metavar="[MODEL | COMMAND [ARGS]...]")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Registered versions: list them, or show one with who signed it and what stands beside it.

    \b
    Example: modelyard versions screening
             modelyard versions show screening@1 --sbom
    """
    if not ctx.invoked_subcommand:
        _list(ctx, None, as_json)


@command.command("list")
@click.argument("model", required=False)
@json_option
@click.pass_context
def list_(ctx: click.Context, model: str | None, as_json: bool) -> None:
    """Registered versions, as without a subcommand.

    \b
    Example: modelyard versions list screening
    """
    _list(ctx, model, as_json or bool(ctx.parent and ctx.parent.params.get("as_json")))


@command.command("show")
@click.argument("ref", metavar="MODEL[@VERSION]")
@click.option("--sbom", "kind", flag_value="sbom", help="Print its bill of materials (CycloneDX 1.6).")
@click.option("--provenance", "kind", flag_value="provenance", help="Print its signed provenance (SLSA v1).")
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
        if sys.stdout.isatty():
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
    say(f"  holds       {found.files} files, {found.size:,} bytes; serves {found.form}")
    say(f"  trained by  run {package.run}")
    for signed in found.signed:
        say(f"  signed by   {signed.key[:16]}, trusted in {', '.join(signed.trusted) or 'no environment'}")
    for name in ("report", "sbom", "provenance"):
        say(f"  {name:<11} {getattr(package, name) or 'none yet: modelyard evaluate makes it'}")


def _list(ctx: click.Context, model: str | None, as_json: bool) -> None:
    found = versions(project(ctx), model)
    if as_json:
        show_json(found)
        return
    show_table(
        ("version", "data", "package", "registered (UTC)", "by"),
        [(v.ref, v.dataset, v.package[:12], f"{v.registered:%Y-%m-%d %H:%M:%S}", v.by) for v in found],
        empty="Nothing is registered yet; run 'modelyard build'.",
    )
