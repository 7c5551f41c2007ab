"""A study in words: a line as a trial ends, one for all of them, a table of the best."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from modelyard.actions.tune import Progress
from modelyard.cli.output import say, show_table, tell
from modelyard.records.run import Run, Scalar, Study, Trial

MOST = 20
"""Trials in a table; ``--json`` has all."""


def trial_line(progress: Progress) -> None:
    """On a terminal the line is written over; elsewhere each trial has one."""
    trial, found = progress.trial, progress.best
    so_far = f"best {found.value:.6g} with {parameters(found.params)}" if found else "none has succeeded yet"
    place = f"trial {progress.done}/{progress.planned}"
    if sys.stderr.isatty():
        tell(f"{place}, {progress.metric} {so_far}")
        return
    came = trial.error if trial.state == "failed" else f"{progress.metric} {trial.value:.6g}"
    say(f"{place}: {'' if trial.state == 'complete' else f'{trial.state}, '}{came} ({so_far})")


def study_line(study: Study) -> str:
    """The whole study in a sentence."""
    best = (
        f"best {study.metric} {study.value:.6g} in trial {study.best}"
        if study.value is not None
        else "none succeeded"
    )
    lost = "".join(
        f", {count} {name}" for name, count in (("pruned", study.pruned), ("failed", study.failed)) if count
    )
    return f"study: {study.done} of {study.planned} trials ({study.sampler}{lost}), {best}"


def show_trials(run: Run, trials: Sequence[Trial]) -> None:
    """The best of them, with what each had of its own; ``trials`` come the best first."""
    if run.study is None or not trials:
        return
    names = [name for name in trials[0].params if len({repr(t.params.get(name)) for t in trials}) > 1]
    say("")
    show_table(
        ("trial", "state", run.study.metric, *names, "seconds", "error"),
        [
            (
                trial.number,
                trial.state,
                "-" if trial.value is None else f"{trial.value:.6g}",
                *(_scalar(trial.params.get(name, "")) for name in names),
                f"{trial.seconds:.2f}",
                (trial.error or "")[:80],
            )
            for trial in trials[:MOST]
        ],
        empty="",
    )
    if len(trials) > MOST:
        say(f"and {len(trials) - MOST} more; --json has all")


def parameters(params: Mapping[str, Scalar]) -> str:
    return ", ".join(f"{name}={_scalar(value)}" for name, value in params.items())


def _scalar(value: Scalar) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
