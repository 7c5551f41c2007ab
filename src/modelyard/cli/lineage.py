"""``modelyard lineage``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.lineage import lineage
from modelyard.actions.written import written
from modelyard.cli.output import json_option, project, say, show_json
from modelyard.records.dataset import SourceFile
from modelyard.records.lineage import Lineage, ModelLineage, TrainedVersion, Window
from modelyard.records.registry import Release, Version
from modelyard.render.lineage import svg as drawn
from modelyard.render.text import Branch, tree


@click.command()
@click.argument("ref", metavar="REF")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Write it as a drawing.")
@json_option
@click.pass_context
def command(ctx: click.Context, ref: str, svg: Path | None, as_json: bool) -> None:
    """Where a dataset version or a model's version came from, and what was made of it.

    REF is a dataset version, a model's version, or the model_id that a prediction came with.

    \b
    Example: modelyard lineage patients@3
             modelyard lineage screening@prod --svg lineage.svg
             modelyard lineage screening/prod/7
    """
    found = lineage(project(ctx), ref)
    if svg is not None:
        written(svg, drawn(found))
    if as_json:
        show_json(found)
    elif svg is not None:
        say(f"wrote {svg}")
    else:
        say(tree(_of_data(found) if isinstance(found, Lineage) else _of_model(found)))


def _of_data(found: Lineage) -> Branch:
    version = found.dataset
    sources = [Branch(_source(s)) for s in version.sources]
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


def _source(file: SourceFile) -> str:
    known = (file.sha256 and f"sha256 {file.sha256}", file.mark)
    return "  ".join((file.path, f"{file.size:,} bytes", *filter(None, known)))


def _version(trained: TrainedVersion) -> Branch:
    users = [Branch("used by", [_forwards(one) for one in trained.used_by])] if trained.used_by else []
    return Branch(_titled(trained.version), [*_live(trained.releases), *users])


def _of_model(found: ModelLineage) -> Branch:
    users = [_forwards(one) for one in found.used_by]
    releases = _live(found.releases)
    return Branch(
        _titled(found.version),
        [
            Branch("made by", [_backwards(found)]),
            *([Branch("beside it", _beside(found))] if found.attested else []),
            Branch("live in", releases or [Branch("never yet")]),
            *([Branch("watched in", [_window(one) for one in found.windows])] if found.windows else []),
            *([Branch("used by", users)] if users else []),
        ],
    )


def _backwards(found: ModelLineage) -> Branch:
    """The run, and below it its code, its data and the versions that its code asked."""
    run = found.run
    made = (
        f"run {run.id}  on {run.dataset}  {run.started:%Y-%m-%d %H:%M:%S} UTC" if run else "no run on record"
    )
    below = []
    if run and run.code.commit:
        below.append(Branch(f"commit {run.code.commit}{'  with changes on top' if run.code.dirty else ''}"))
    if run:
        below.append(Branch(f"code {run.code.digest}"))
    if found.data:
        below.append(
            Branch(
                f"{found.data.ref}  {found.data.rows:,} rows  {found.data.digest}",
                [Branch(_source(source)) for source in found.data.sources],
            )
        )
    used = [Branch(_titled(one.version), [_backwards(one)]) for one in found.uses]
    return Branch(made, [*below, *([Branch("uses", used)] if used else [])])


def _beside(found: ModelLineage) -> list[Branch]:
    return [Branch(f"{name}  sha256 {digest}") for name, digest in found.attested.items()]


def _window(one: Window) -> Branch:
    told = f"{one.alerts} alerts" if one.judged else "too few to judge"
    return Branch(f"{one.environment}: {one.since} to {one.until}  {one.rows:,} predictions  {told}")


def _forwards(found: ModelLineage) -> Branch:
    users = [Branch("used by", [_forwards(one) for one in found.used_by])] if found.used_by else []
    return Branch(_titled(found.version), [*_live(found.releases), *users])


def _titled(version: Version) -> str:
    return f"{version.ref}  package {version.package[:12]}  by {version.by}"


def _live(releases: tuple[Release, ...]) -> list[Branch]:
    return [
        Branch(
            f"{r.environment}: {r.status.replace('_', ' ')} since {(r.finished or r.started):%Y-%m-%d %H:%M:%S} UTC"
        )
        for r in releases
    ]
