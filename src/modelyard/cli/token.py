"""``modelyard token``."""

from __future__ import annotations

import datetime as dt
import typing

import click

from modelyard.actions.token import Shown, create, revoke, tokens
from modelyard.cli.moment import Span
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.records.access import TOKEN, Role


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Who may do what: tokens that prove a person, with roles in environments.

    \b
    Example: modelyard token create anna --role admin
             MODELYARD_TOKEN=my_... modelyard token create ci --role deployer --env prod --expires 90d
             modelyard token
    """
    if ctx.invoked_subcommand:
        return
    found = tokens(project(ctx))
    if as_json:
        show_json(found)
        return
    show_table(
        ("token", "whose", "roles", "in", "made (UTC)", "by", "expires", "last used", "is"),
        [
            (
                t.id,
                t.person,
                ", ".join(t.roles),
                ", ".join(t.environments) or "everywhere",
                f"{t.created:%Y-%m-%d %H:%M}",
                t.by,
                _day(t.expires) or "never",
                _day(t.used) or "never",
                "revoked" if t.revoked else "expired" if t.expired else "",
            )
            for t in found
        ],
        empty="There is no token: everybody may do everything, under whatever name.",
    )


@command.command("create")
@click.argument("person")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(typing.get_args(Role)),
    help="What it lets do; may be given several times.",
)
@click.option(
    "--env", "environments", multiple=True, metavar="ENVIRONMENT", help="Only there; else everywhere."
)
@click.option("--expires", "lasts", type=Span(), help="After this time, such as 90d.")
@json_option
@click.pass_context
def create_(
    ctx: click.Context,
    person: str,
    roles: tuple[Role, ...],
    environments: tuple[str, ...],
    lasts: dt.timedelta | None,
    as_json: bool,
) -> None:
    """Make a token and show it, once. The first admin's makes the yard ask everybody for one.

    \b
    Example: modelyard token create ci --role developer --role deployer --env test --expires 90d
    """
    made = create(project(ctx), person, roles=roles, environments=environments, lasts=lasts)
    if as_json:
        show_json(made)
        return
    say(made.secret)
    say(
        f"{_whose(made)}: {', '.join(made.roles)} in {', '.join(made.environments) or 'every environment'}",
        err=True,
    )
    say(f"keep it now: it is shown this once; whoever holds it sets {TOKEN}", err=True)


@command.command("revoke")
@click.argument("token")
@click.option("--last", is_flag=True, help="The only admin's too: the yard asks for tokens no more.")
@json_option
@click.pass_context
def revoke_(ctx: click.Context, token: str, last: bool, as_json: bool) -> None:
    """End a token, by its id; it proves nothing from then on.

    \b
    Example: modelyard token revoke 3f9c01a2b4
    """
    ended = revoke(project(ctx), token, last=last)
    if as_json:
        show_json(ended)
        return
    say(f"{_whose(ended)} is revoked")


def _whose(token: Shown) -> str:
    return f"token {token.id} of {token.person}"


def _day(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
