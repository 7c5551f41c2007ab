"""Drift by the rules of other tools, from rows as they are."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.errors import DataRefused
from modelyard.monitoring import evidently, nannyml
from modelyard.monitoring.evidence import Evidence
from modelyard.monitoring.raw import Raw, answers, columns
from modelyard.records.finding import Finding, FindingKind

DATASET = 0.5
"""The share of columns at which Evidently says that the dataset drifted."""


def peers(evidence: Evidence) -> Iterator[Finding]:
    """One decided finding a column, and for Evidently one of the dataset; nothing where our own rule decides."""
    method = evidence.settings.method
    if method == "calibrated":
        return
    learnt, tested, window = evidence.learnt(None), evidence.tested(), evidence.seen()
    if learnt is None or evidence.schema is None:
        raise DataRefused(
            f"method = '{method}' compares with the rows that {evidence.model}@{evidence.version} learnt from, and "
            "they are not in this yard; use method = 'calibrated', or ingest them here."
        )
    before, after = columns(learnt, evidence.schema), columns(window, evidence.schema)
    found = [
        _one(evidence, "drift", name, before[name][1], values)
        for name, (kind, values) in after.items()
        if kind not in ("date", "datetime")  # neither tool looks at times
    ]
    yield from found
    if tested is not None:
        told, answered = answers(tested, evidence.answers), answers(window, evidence.answers)
        for name in told.keys() & answered.keys():
            yield _one(evidence, "prediction_drift", name, told[name], answered[name])
    if method == "evidently" and found:
        yield _dataset(found, learnt, window)


def _one(
    evidence: Evidence, kind: FindingKind, name: str, reference: evidently.Values, window: evidently.Values
) -> Finding:
    rows = len(evidently.present(reference)), len(evidently.present(window))
    if evidence.settings.method == "evidently":
        said = evidently.column(reference, window, test=evidence.settings.test)
        if said is None:
            return _nothing(kind, name, rows)
        against = f"{'p = ' if said.p is not None else ''}{said.value:.4g}, threshold {said.threshold:g}"
        return _finding(kind, name, said.by, said.value, said.p, said.drifted, rows, against)
    other = nannyml.column(reference, window)
    if other is None:
        return _nothing(kind, name, rows)
    against = f"{other.value:.4g}, threshold {other.upper:.4g}"
    return _finding(kind, name, "jensen_shannon", other.value, None, other.drifted, rows, against)


def _finding(
    kind: FindingKind,
    name: str,
    statistic: str,
    value: float,
    p: float | None,
    drifted: bool,
    rows: tuple[int, int],
    against: str,
) -> Finding:
    return Finding(
        kind=kind,
        column=name,
        statistic=statistic,
        value=value,
        p_value=p,
        p_corrected=p,
        effect=value if p is None else 1 - value,
        effect_name=statistic if p is None else "1 - p",
        reference_rows=rows[0],
        window_rows=rows[1],
        alert=drifted,
        sentence=f"{name} {'drifted' if drifted else 'did not drift'} by {statistic}: {against}",
    )


def _nothing(kind: FindingKind, name: str, rows: tuple[int, int]) -> Finding:
    side = "reference" if not rows[0] else "window"
    return Finding(
        kind=kind,
        column=name,
        statistic="none",
        value=0.0,
        p_value=None,
        p_corrected=None,
        effect=0.0,
        effect_name="none",
        reference_rows=rows[0],
        window_rows=rows[1],
        alert=False,
        sentence=f"{name} was not compared: the {side} has no values",
    )


def _dataset(found: list[Finding], learnt: Raw, window: Raw) -> Finding:
    drifted = sum(one.alert for one in found)
    share = drifted / len(found)
    return Finding(
        kind="multivariate_drift",
        column="",
        statistic="share_of_drifted_columns",
        value=share,
        p_value=None,
        p_corrected=None,
        effect=share,
        effect_name="share",
        reference_rows=len(learnt),
        window_rows=len(window),
        alert=share >= DATASET,
        sentence=f"{drifted} of {len(found)} columns drifted; from half of them on, the dataset did",
    )
