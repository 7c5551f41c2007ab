"""``modelyard lineage``."""

from __future__ import annotations

import click

from modelyard.actions.lineage import lineage
from modelyard.cli.output import json_option, project, say, show_json
from modelyard.records.lineage import Lineage, TrainedVersion
from modelyard.render.text import Branch, tree


@click.command()
@click.argument("ref", metavar="NAME[@N]")
@json_option
@click.pass_context
def command(ctx: click.Context, ref: str, as_json: bool) -> None:
    """Where a dataset version came from, and what was made of it.

    \b
    Example: modelyard lineage patients@3
    """
    found = lineage(project(ctx), ref)
    if as_json:
        show_json(found)
    else:
        say(tree(_root(found)))


def _root(found: Lineage) -> Branch:
    version = found.dataset
    sources = [Branch(f"{s.path}  {s.size:,} bytes  sha256 {s.sha256}") for s in version.sources]
    runs = [
        Branch(
            f"run {t.run.id}  {t.run.model}  {t.run.status}  {t.run.started:%Y-%m-%d %H:%M:%S} UTC",
            [_version(v) for v in t.versions],
        )
        for t in found.runs
    ]
    return Branch(
        f"{version.ref}  {version.rows:,} rows  {version.digest}",
        [
            Branch("made of", sources or [Branch("no files on record")]),
            Branch("trained on by", runs or [Branch("no run yet")]),
        ],
    )


def _version(trained: TrainedVersion) -> Branch:
    version = trained.version
    releases = [
        Branch(
            f"{r.environment}: {r.status.replace('_', ' ')} since {(r.finished or r.started):%Y-%m-%d %H:%M:%S} UTC"
        )
        for r in trained.releases
    ]
    return Branch(f"{version.ref}  package {version.package[:12]}  by {version.by}", releases)
