"""All tests of a window, held together at one rate of false alarms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from modelyard.errors import DataRefused
from modelyard.monitoring.draft import Draft, probability
from modelyard.monitoring.drift import drift
from modelyard.monitoring.pvalues import correct, smallest_shift
from modelyard.monitoring.quality import quality
from modelyard.records.finding import Finding, WindowReport
from modelyard.records.profile import ColumnProfile, Profile
from modelyard.settings.tree import MonitorSettings

DRIFT_SHARE = 0.9
"""Of alpha, for drift of features and answers; the rest is for data quality, whose faults are rarely close calls."""
_NAMES = {"holm": "Holm", "benjamini-hochberg": "Benjamini-Hochberg"}


def examine(
    reference: Profile,
    answers: Profile,
    window: Profile,
    window_answers: Profile,
    *,
    settings: MonitorSettings,
    environment: str,
    model: str,
    version: int,
    start: dt.datetime,
    end: dt.datetime,
) -> WindowReport:
    """Compare a window's features and answers with the reference's.

    ``reference`` and ``answers`` are a package's own profiles, ``window`` and ``window_answers`` the logged
    rows counted on them. A finding alerts when its p-value, corrected over all tests of the window, is at
    most ``settings.alpha`` and its effect at least ``settings.min_effect``. There is one drift finding a
    column, alerting or not; data-quality findings only where there is something to see. A window of fewer
    than ``settings.min_rows`` rows is not judged, and the note says so. Raises ``DataRefused`` when the window
    was counted on another reference.
    """
    columns = _paired(reference, window)
    answered = _paired(answers, window_answers)
    note = _note(window.rows, settings.min_rows)
    findings: tuple[Finding, ...] = ()
    if not note:
        moved = [drift("drift", r, w, min_rows=settings.min_rows) for r, w in columns]
        moved += [drift("prediction_drift", r, w, min_rows=settings.min_rows) for r, w in answered]
        faults = [draft for r, w in columns for draft in quality(r, w)]
        findings = (
            *_decide(moved, settings, DRIFT_SHARE),
            *_decide(faults, settings, 1 - DRIFT_SHARE),
        )
    return WindowReport(
        environment=environment,
        model=model,
        version=version,
        start=start,
        end=end,
        rows=window.rows,
        alpha=settings.alpha,
        correction=settings.correction,
        findings=findings,
        note=note,
    )


def _note(rows: int, min_rows: int) -> str:
    if not rows:
        return "No predictions in this window: nothing was judged."
    if rows < min_rows:
        return f"{rows} predictions in this window, fewer than min_rows = {min_rows}: nothing was judged."
    return ""


def _paired(reference: Profile, window: Profile) -> list[tuple[ColumnProfile, ColumnProfile]]:
    def anchors(profile: Profile) -> list[tuple[str, str, str]]:
        return [(c.name, c.kind, c.edges_sha256) for c in profile.columns]

    if anchors(reference) != anchors(window):
        raise DataRefused(
            "The window was counted on another reference; count it on the profile of the package that answered."
        )
    return list(zip(reference.columns, window.columns, strict=True))


def _decide(drafts: Sequence[Draft], settings: MonitorSettings, portion: float) -> Iterable[Finding]:
    """Correct within the family, which has ``portion`` of alpha; by p-values that are held against all of it.

    A test without a p-value could not have alerted whatever the truth (Tarone 1990): it costs the others nothing.
    """
    tested = [draft.p for draft in drafts if draft.p is not None]
    corrected = iter(correct(tested, settings.correction))
    alpha = settings.alpha * portion / max(len(tested), 1)
    for draft in drafts:
        p = min(1.0, next(corrected) / portion) if draft.p is not None else None
        significant = p is not None and p <= settings.alpha
        alert = significant and draft.effect >= settings.min_effect
        if draft.shown or alert:
            yield Finding(
                kind=draft.kind,
                column=draft.column,
                statistic=draft.statistic,
                value=draft.value,
                p_value=draft.p,
                p_corrected=p,
                effect=draft.effect,
                effect_name="psi",
                reference_rows=draft.reference_rows,
                window_rows=draft.window_rows,
                alert=alert,
                sentence=_sentence(draft, p, significant, alert, settings, alpha),
            )


def _sentence(
    draft: Draft, p: float | None, significant: bool, alert: bool, settings: MonitorSettings, alpha: float
) -> str:
    if p is None:
        return draft.calm
    evidence = f"{probability(p)} after {_NAMES[settings.correction]}"
    if draft.kind not in ("drift", "prediction_drift"):
        return f"{draft.change if significant else draft.calm}; {evidence}"
    evidence = f"PSI {draft.effect:.2g} over {draft.window_rows} rows, {evidence}"
    if alert:
        return f"{draft.change}: {evidence}"
    if significant:
        return f"{draft.change}, less than the floor of PSI {settings.min_effect:g}: {evidence}"
    return f"{draft.calm}: {evidence}{_reach(draft, settings, alpha)}"


def _reach(draft: Draft, settings: MonitorSettings, alpha: float) -> str:
    if not draft.cells:
        return ""
    sds = smallest_shift(draft.reference_rows, draft.window_rows, draft.cells, alpha / 2, settings.min_effect)
    return f"; a shift of {sds:.2g} sd would be found at least four times in five"
