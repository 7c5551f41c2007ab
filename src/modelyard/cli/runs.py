"""``modelyard runs``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.actions.follow import Shown, follow, save, show_run
from modelyard.actions.look import runs
from modelyard.cli.output import json_option, project, say, show_json, show_table
from modelyard.cli.studies import show_trials, study_line
from modelyard.records.run import Number, Run


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
    """Trainings: list them, newest first, or show one, also while it runs.

    \b
    Example: modelyard runs screening
             modelyard runs show screening@run --follow
    """
    if not ctx.invoked_subcommand:
        _list(ctx, None, as_json)


@command.command("list")
@click.argument("model", required=False)
@json_option
@click.pass_context
def list_(ctx: click.Context, model: str | None, as_json: bool) -> None:
    """Trainings, as without a subcommand.

    \b
    Example: modelyard runs list screening
    """
    _list(ctx, model, as_json or bool(ctx.parent and ctx.parent.params.get("as_json")))


@command.command("show")
@click.argument("ref", metavar="RUN")
@click.option("--follow", "following", is_flag=True, help="Show it until it has ended.")
@click.option(
    "--save",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write its log, points, files and charts into a folder.",
)
@json_option
@click.pass_context
def show_(ctx: click.Context, ref: str, following: bool, folder: Path | None, as_json: bool) -> None:
    """One run: parameters, metrics, what it used, what it printed last.

    RUN is an id, the beginning of one, or MODEL@run for a model's newest.

    \b
    Example: modelyard runs show screening@run --follow
    """
    here = project(ctx)
    shown = show_run(here, ref)
    if following and shown.run.status == "running":
        said: dict[str, Number] = {}
        for look in follow(here, shown.run.id):
            shown = look
            if not as_json:
                said = _news(shown, said)
    written = save(here, shown.run, folder) if folder else []
    if as_json:
        show_json(shown)
        return
    _show(shown)
    for path in written:
        say(f"wrote {path}")


def _list(ctx: click.Context, model: str | None, as_json: bool) -> None:
    found = runs(project(ctx), model)
    if as_json:
        show_json(found)
        return
    show_table(
        ("run", "model", "status", "data", "seconds", "commit", "parameters", "metrics", "error"),
        [
            (
                r.id,
                r.model,
                r.status,
                r.dataset,
                f"{r.seconds:.1f}",
                f"{(r.code.commit or '-')[:8]}{'*' if r.code.dirty else ''}",
                ", ".join(f"{k}={v}" for k, v in r.params.items()),
                _few(r),
                (r.error or "")[:60],
            )
            for r in found
        ],
        empty="Nothing was trained yet; run 'modelyard train MODEL'.",
    )


def _few(run: Run, most: int = 4) -> str:
    told = []
    if (study := run.study) is not None:
        best = "" if study.value is None else f"best {study.metric}={study.value:.6g} of "
        told.append(f"{best}{study.done}/{study.planned} trials")
    told += [f"{name}={_figure(value)}" for name, value in list(run.metrics.items())[:most]]
    return ", ".join(told) + (", ..." if len(run.metrics) > most else "")


def _news(shown: Shown, before: dict[str, Number]) -> dict[str, Number]:
    """A line for what changed since the last look."""
    changed = [m for m in shown.metrics if before.get(f"{m.name}/{m.points}") is None]
    if changed:
        say("  ".join(f"{m.name}[{m.step}]={_figure(m.last)}" for m in changed))
    return {f"{m.name}/{m.points}": m.last for m in shown.metrics}


def _show(shown: Shown) -> None:
    run = shown.run
    say(f"run {run.id} of {run.model}: {run.status}{f', {run.error}' if run.error else ''}")
    say(f"  data        {run.dataset}")
    say(
        f"  code        {run.code.digest[:12]}, commit {run.code.commit or '-'}{'*' if run.code.dirty else ''}"
    )
    say(f"  begun       {run.started:%Y-%m-%d %H:%M:%S} UTC, took {run.seconds:.1f} s")
    if used := run.resources:
        say(
            f"  used        {used.cpu_seconds:.1f} s of processor time in {used.wall_seconds:.1f} s, "
            f"{used.peak_bytes / 2**20:,.0f} MiB at most"
        )
    for name, values in (("parameters", run.params), ("logged", run.logged)):
        if values:
            say(f"  {name:<11} " + ", ".join(f"{k}={v}" for k, v in values.items()))
    for artifact in run.artifacts:
        what = "file" if artifact.kind == "file" else "chart"
        say(f"  {what:<11} {artifact.name}, {artifact.size:,} bytes")
    if run.candidate:
        say(f"  package     {run.candidate}")
    if run.study:
        say(f"  {study_line(run.study).replace(': ', '       ', 1)}")
        if run.study.importance:
            told = ", ".join(f"{name} {100 * share:.0f} %" for name, share in run.study.importance.items())
            say(f"  importance  {told}")
    show_trials(run, shown.trials)
    if shown.metrics:
        say("")
        show_table(
            ("metric", "points", "step", "last", "least", "most", "course"),
            [
                (m.name, m.points, m.step, _figure(m.last), _figure(m.least), _figure(m.most), m.shape)
                for m in shown.metrics
            ],
            empty="",
        )
    if shown.log.strip():
        say("\nprinted last:")
        say("\n".join(f"  {line}" for line in shown.log.rstrip("\n").splitlines()[-20:]))


def _figure(value: Number) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
