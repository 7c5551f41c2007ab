"""``modelyard data``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.checkout import checkout
from modelyard.actions.look import data
from modelyard.actions.show import publish, show
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.records.datareport import DataReport
from modelyard.render import figures


class _Listing(click.Group):  # its methods' arguments are click's
    """A word that is no subcommand is a dataset to list."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "list", list_, args


@click.group(cls=_Listing, invoke_without_command=True, subcommand_metavar="[DATASET | COMMAND [ARGS]...]")
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Dataset versions: list them, show one, or write one to a file.

    \b
    Example: modelyard data patients
    """
    if not ctx.invoked_subcommand:
        _list(ctx, None, as_json)


@command.command("list")
@click.argument("dataset", required=False)
@json_option
@click.pass_context
def list_(ctx: click.Context, dataset: str | None, as_json: bool) -> None:
    """Dataset versions, as without a subcommand.

    \b
    Example: modelyard data list patients
    """
    _list(ctx, dataset, as_json or bool(ctx.parent and ctx.parent.params.get("as_json")))


@command.command("show")
@click.argument("ref", metavar="NAME[@N]")
@click.option("--profile", "profile_only", is_flag=True, help="Only what the profile tells; reads no row.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as a page.")
@click.option("--open", "open_it", is_flag=True, help="Write the report as a page and open it.")
@json_option
@click.pass_context
def show_(
    ctx: click.Context, ref: str, profile_only: bool, html: Path | None, open_it: bool, as_json: bool
) -> None:
    """What a version holds: its columns, classes, relations and what was marked.

    \b
    Example: modelyard data show patients@3
    """
    here = project(ctx)
    report = show(here, ref, relations=not profile_only)
    page = publish(here, report, html) if html or open_it else None
    if as_json:
        show_json(report)
    elif page:
        say(f"{report.dataset}: {page}")
    else:
        _tell(report)
    if page and open_it:
        click.launch(page.resolve().as_uri())


@command.command("checkout")
@click.argument("ref", metavar="NAME[@N]")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--split", is_flag=True, help="Keep the column that says train or test.")
@click.option("--force", is_flag=True, help="Replace the file when it is there.")
@json_option
@click.pass_context
def checkout_(ctx: click.Context, ref: str, file: Path, split: bool, force: bool, as_json: bool) -> None:
    """Write a version's rows, as they were ingested, to a .csv or .parquet file.

    \b
    Example: modelyard data checkout patients@3 patients.parquet
    """
    done = checkout(project(ctx), ref, file, split=split, force=force)
    if as_json:
        show_json(done)
        return
    say(f"{done.version.ref}: {done.version.rows:,} rows, {done.size:,} bytes in {done.file}")


def _list(ctx: click.Context, dataset: str | None, as_json: bool) -> None:
    found = data(project(ctx), dataset)
    if as_json:
        show_json(found)
        return
    show_table(
        ("version", "rows", "test rows", "test uses", "columns", "digest", "ingested (UTC)"),
        [
            (
                v.ref,
                v.rows,
                v.test_rows,
                v.test_uses,
                len(v.schema.columns),
                v.digest[:12],
                f"{v.created:%Y-%m-%d %H:%M:%S}",
            )
            for v in found
        ],
        empty="Nothing was ingested yet; run 'modelyard ingest'.",
    )


def _tell(report: DataReport) -> None:
    say(f"{report.dataset}  {report.rows:,} rows, {report.test_rows:,} held back, {report.digest[:12]}")
    headers = ("column", "kind", "missing", "distinct", "least", "median", "mean", "sd", "most", "", "target")
    show_table(
        headers,
        [
            (
                c.name if c.role == "feature" else f"{c.name} ({c.role})",
                c.kind,
                figures.share(c.missing, c.rows),
                figures.distinct(c),
                figures.figure(c.minimum, c.kind),
                figures.figure(c.quantiles.get("50 %"), c.kind),
                figures.figure(c.mean, c.kind),
                figures.spread(c),
                figures.figure(c.maximum, c.kind),
                figures.sparkline(c),
                f"{c.relation.value:+.2f}" if c.relation else "",
            )
            for c in report.columns
        ],
        empty="no columns",
    )
    if report.balance:
        show_table(
            ("label" if report.labels else f"{report.target}", "train", "test"),
            [(b.label, b.train, b.test) for b in report.balance],
            empty="",
        )
    for part in report.spread:
        mean, sd = figures.plain(part.mean), figures.plain(part.sd)
        say(f"{report.target} in {part.part}: mean {mean}, standard deviation {sd}")
    for pair in report.pairs[:5]:
        say(f"together: {pair.a} and {pair.b}, {pair.value:+.2f}")
    for mark, count in sorted(report.marks.items()):
        say(f"marked: {count:,} row{'s' if count > 1 else ''}, {mark}")
    for finding in report.findings:
        say(f"found: {finding}")
    if report.looked and report.looked < report.rows:
        say(f"classes and relations are of {report.looked:,} rows, evenly spread")
