"""A study in words and drawings: its course, what mattered, and each parameter alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.records.run import Scalar, Study, Trial
from modelyard.render.wording import number, words

SHOWN = 10
"""Trials in the table and parameters that are drawn; the run has all."""


@dataclass(frozen=True)
class TrialRow:
    number: str
    value: str
    params: str
    seconds: str


@dataclass(frozen=True)
class StudyView:
    summary: str
    metric: str
    trials: tuple[TrialRow, ...]
    """The best."""
    importance: tuple[tuple[str, str], ...]
    """Parameter and share in per cent, the most important first."""
    searched: tuple[str, ...]
    """Parameters that differ between trials."""


def studied(study: Study, trials: Sequence[Trial]) -> StudyView:
    """Its best trials and what told them from the others."""
    metric = words(study.metric)[0]
    sign = -1.0 if study.higher_is_better else 1.0
    complete = sorted(
        (t for t in trials if t.state == "complete"), key=lambda t: (sign * (t.value or 0.0), t.number)
    )
    names = complete[0].params if complete else {}
    searched = [name for name in names if len({repr(t.params.get(name)) for t in trials}) > 1]
    order = [name for name in study.importance if name in searched]
    order += [name for name in searched if name not in order]
    ended = [f"{n} {state}" for n, state in ((study.pruned, "pruned"), (study.failed, "failed")) if n]
    lost = f", {', '.join(ended)}" if ended else ""
    best = (
        f" The best {metric}, in the mean over the folds, is {number(study.value)}."
        if study.value is not None
        else ""
    )
    return StudyView(
        summary=(
            f"{study.done:,} trials of the {study.sampler} sampler on folds of the training split"
            f"{lost}.{best} It was picked as the best of many and promises too much; "
            "the metrics above are of the test split, which the trials never saw."
        ),
        metric=metric,
        trials=tuple(
            TrialRow(
                number=str(t.number),
                value=number(t.value or 0.0),
                params=", ".join(f"{name} = {_shown(t.params[name])}" for name in order if name in t.params),
                seconds=f"{t.seconds:.2f}",
            )
            for t in complete[:SHOWN]
        ),
        importance=tuple((name, f"{100 * share:.0f}") for name, share in study.importance.items()),
        searched=tuple(order[:SHOWN]),
    )


def drawings(study: Study, trials: Sequence[Trial]) -> list[tuple[str, str, str]]:
    """Title, what to look for, SVG."""
    from modelyard.render import trial_charts

    shown = studied(study, trials)
    if sum(t.state == "complete" for t in trials) < 2:
        return []
    drawn = [
        (
            "The search",
            "Each dot is a trial, faint where it was pruned; the line is the best so far.",
            trial_charts.history(trials, shown.metric, higher=study.higher_is_better),
        )
    ]
    if len(study.importance) > 1:
        drawn.append(
            (
                "Which parameters mattered",
                "By how much each tells the better trials from the others, as shares of one.",
                trial_charts.importance(study.importance),
            )
        )
    for at, name in enumerate(shown.searched):
        drawn.append(
            (
                f"By {name}",
                "The complete trials by this parameter alone.",
                trial_charts.slice_of(trials, name, at, shown.metric),
            )
        )
    return drawn


def _shown(value: Scalar) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
