"""``runs show``: one run, while it trains and when it has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from modelyard.actions.outcome import seen
from modelyard.actions.trained import run_of_id
from modelyard.actions.tune import trials_of, up_to_now
from modelyard.errors import StoreDown
from modelyard.project import Project
from modelyard.records.run import Run, Trial
from modelyard.training.points import Summary

TAIL = 4000
"""Bytes of a log that are shown."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A run with what it logged so far."""

    run: Run
    metrics: tuple[Summary, ...]
    log: str
    """The last lines of what it printed."""
    trials: tuple[Trial, ...] = ()
    """Of its study, the best first; those that failed last."""


def show_run(project: Project, ref: str) -> Shown:
    """The run of an id, of the beginning of one, or of ``MODEL@run``, its model's newest."""
    run = up_to_now(project, seen(project, [run_of_id(project, ref)])[0])
    trials = _ranked(run, trials_of(project, run))
    place = project.run_folder(run.id)
    if run.status in ("running", "lost"):
        return msgspec.structs.replace(_live(run, place), trials=trials)
    metrics: tuple[Summary, ...] = ()
    if run.points:
        from modelyard.training.points import of_parquet

        metrics = tuple(of_parquet(project.artifacts.get(run.points)))
    log = project.artifacts.get(run.log) if run.log else b""
    return Shown(run=run, metrics=metrics, log=_tail(log), trials=trials)


def follow(project: Project, ref: str, *, pause: float = 0.5) -> Iterator[Shown]:
    """The run, again and again until it has ended; the last is as it ended."""
    run = seen(project, [run_of_id(project, ref)])[0].id
    while True:
        shown = show_run(project, run)
        yield shown
        if shown.run.status != "running":
            return
        time.sleep(pause)


def save(project: Project, run: Run, folder: Path) -> list[Path]:
    """Write the run's log, points, files and charts (as SVG) into ``folder``; returns what was written."""
    from modelyard.render.drawing import drawn

    written: list[Path] = []

    def put(name: str, content: bytes) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)

    try:
        if run.log:
            put("log.txt", project.artifacts.get(run.log))
        if run.points:
            put("points.parquet", project.artifacts.get(run.points))
        for artifact in run.artifacts:
            content, name = project.artifacts.get(artifact.digest), _safe(artifact.name)
            if artifact.kind == "file":
                put(f"files/{name}", content)
                continue
            if artifact.kind == "vega-lite":
                put(f"charts/{name}.json", content)
                content = drawn(content, artifact.name)
            put(f"charts/{name}.svg", content)
    except OSError as error:
        raise StoreDown(f"{folder} cannot be written: {error.strerror or error}.") from None
    return written


def _ranked(run: Run, trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
    sign = -1.0 if run.study and run.study.higher_is_better else 1.0
    order = ("complete", "pruned", "failed")
    return tuple(sorted(trials, key=lambda t: (order.index(t.state), sign * (t.value or 0.0), t.number)))


def _live(run: Run, place: Path) -> Shown:
    from modelyard.training import LOG, myself
    from modelyard.training.points import summaries
    from modelyard.training.recorded import facts, points

    if run.process is not None and run.process.host != myself().host:
        return Shown(run=run, metrics=(), log=f"[it trains on {run.process.host}]")
    logged = facts(place)
    metrics = tuple(summaries(points(place), logged.metrics))
    last = {summary.name: summary.last for summary in metrics}
    try:
        log = (place / LOG).read_bytes()
    except OSError:
        log = b""
    run = msgspec.structs.replace(run, metrics=last, logged=logged.params)
    return Shown(run=run, metrics=metrics, log=_tail(log))


def _tail(log: bytes) -> str:
    text = log[-TAIL:].decode("utf-8", "replace")
    return text if len(log) <= TAIL else text.partition("\n")[2]


def _safe(name: str) -> str:
    """A name that stays inside the folder it is written into."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "unnamed"
