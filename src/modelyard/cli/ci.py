"""``modelyard ci``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from modelyard.actions.ci import keep, report
from modelyard.cli.output import json_option, project, say, show_json
from modelyard.forges import here


@click.group()
def command() -> None:
    """What pipelines of a forge (GitHub, GitLab, Bitbucket, Azure DevOps) run.

    \b
    Example: modelyard ci report --against origin/main
    """


@command.command("report")
@click.option(
    "--against", required=True, metavar="REVISION", help="What the change goes into, such as origin/main."
)
@click.option("--head", default="HEAD", show_default=True, metavar="REVISION", help="The change.")
@click.option(
    "--markdown", "path", type=click.Path(path_type=Path, dir_okay=False), help="Write it here as well."
)
@click.option("--no-post", is_flag=True, help="Post nothing.")
@json_option
@click.pass_context
def _report(
    ctx: click.Context, against: str, head: str, path: Path | None, no_post: bool, as_json: bool
) -> None:
    """What a change does to the models, as one comment on its pull request; exit 1 if a gate fails.

    In a pipeline with a token (GITHUB_TOKEN, GITLAB_TOKEN, BITBUCKET_TOKEN, SYSTEM_ACCESSTOKEN) the comment is made or
    replaced, and the commit gets a state; elsewhere the Markdown is printed.

    \b
    Example: modelyard ci report --against origin/main
             modelyard ci report --against main --markdown report.md --no-post
    """
    forge = None if no_post else here(os.environ)
    token = bool(forge and os.environ.get(forge.token))
    told = report(project(ctx), against=against, head=head, forge=forge, token=token)
    if path:
        keep(told, path)
    if as_json:
        show_json(told)
    elif told.posted and forge:
        say(f"commented on pull request {forge.request}: {told.sentence}")
    else:
        say(told.text if not path else f"wrote {path}: {told.sentence}")
    for note in told.notes:
        click.echo(f"modelyard: {note}", err=True)
    if told.passed is False:
        ctx.exit(1)
