"""All tests of a window, held together at one rate of false alarms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from modelyard.monitoring.draft import Draft, probability
from modelyard.monitoring.evidence import Evidence, Judge
from modelyard.monitoring.judges import ALWAYS, JUDGES
from modelyard.monitoring.parts import parts
from modelyard.monitoring.pvalues import correct, smallest_shift
from modelyard.monitoring.since import since, told
from modelyard.monitoring.sliced import folded
from modelyard.records.finding import Family, Finding, WindowReport, family
from modelyard.settings.monitor import MonitorSettings

SHARES: dict[Family, float] = {"drift": 0.9, "data_quality": 0.075, "operation": 0.025}
"""Of alpha, for drift of features and answers; the rest is for faults that are rarely close calls."""
_SLICES = 1 / 3
"""Of drift's share, for slices where the settings name some."""
_NAMES = {"holm": "Holm", "benjamini-hochberg": "Benjamini-Hochberg"}


def examine(
    evidence: Evidence, judges: Sequence[Judge] = JUDGES, always: Sequence[Judge] = ALWAYS
) -> WindowReport:
    """Ask every judge, and hold what they say together at one rate of false alarms.

    A draft alerts when its p-value, corrected over all tests of its family, is at most ``alpha`` and its effect at
    least ``min_effect``. There is one drift finding a column, alerting or not; data-quality findings only where
    there is something to see. A window of fewer than ``min_rows`` rows is put before ``always`` alone, and the
    note says so. Raises ``DataRefused`` when the window was counted on another reference.
    """
    settings = evidence.settings
    evidence.refuse_strangers()
    said: list[Draft | Finding] = []
    for judge in (*(() if evidence.note else judges), *always):
        said += judge(evidence)
    drafts = [one for one in said if isinstance(one, Draft)]
    findings: list[Finding] = []
    for name, portion in SHARES.items():
        own = [d for d in drafts if family(d.kind) == name]
        if name != "drift" or not settings.slices:
            findings += _decide(own, settings, portion)
            continue
        whole = _decide([d for d in own if not d.slice], settings, portion * (1 - _SLICES))
        parts = _decide([d for d in own if d.slice], settings, portion * _SLICES)
        findings += folded(list(whole), list(parts))
    findings += [one for one in said if isinstance(one, Finding)]
    return WindowReport(
        environment=evidence.environment,
        model=evidence.model,
        version=evidence.version,
        start=evidence.start,
        end=evidence.end,
        rows=evidence.window.rows,
        alpha=settings.alpha,
        correction=settings.correction,
        findings=tuple(_dated(finding, evidence) for finding in findings),
        note=evidence.note,
        package=evidence.package,
        examined=evidence.examined,
        method=settings.method,
    )


def _dated(finding: Finding, evidence: Evidence) -> Finding:
    """An alert with the window that it began with."""
    found = since(finding, evidence.start, evidence.end, evidence.history) if finding.alert else None
    return (
        finding if found is None else replace(finding, since=found, sentence=finding.sentence + told(found))
    )


def _decide(drafts: Sequence[Draft], settings: MonitorSettings, portion: float) -> Iterator[Finding]:
    """Correct within the family, which has ``portion`` of alpha; by p-values that are held against all of it.

    A test without a p-value could not have alerted whatever the truth (Tarone 1990): it costs the others nothing.
    """
    tested = [draft.p for draft in drafts if draft.p is not None]
    corrected = iter(correct(tested, settings.correction))
    alpha = settings.alpha * portion / max(len(tested), 1)
    for draft in drafts:
        p = min(1.0, next(corrected) / portion) if draft.p is not None else None
        significant = p is not None and p <= settings.alpha
        least = settings.min_effect if draft.least is None else draft.least
        alert = significant and draft.effect >= least
        reach = _reach(draft, settings, alpha)
        if draft.shown or alert:
            yield Finding(
                kind=draft.kind,
                column=draft.column,
                statistic=draft.statistic,
                value=draft.value,
                p_value=draft.p,
                p_corrected=p,
                effect=draft.effect,
                effect_name=draft.effect_name,
                reference_rows=draft.reference_rows,
                window_rows=draft.window_rows,
                alert=alert,
                sentence=_sentence(draft, p, significant, alert, settings, reach),
                slice=draft.slice,
                interval=draft.interval,
                reach=reach,
                details=parts(*draft.pair) if alert and draft.pair else draft.details,
            )


def _sentence(
    draft: Draft,
    p: float | None,
    significant: bool,
    alert: bool,
    settings: MonitorSettings,
    reach: float | None,
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
    told = "" if reach is None else f"; a shift of {reach:.2g} sd would be found at least four times in five"
    return f"{draft.calm}: {evidence}{told}"


def _reach(draft: Draft, settings: MonitorSettings, alpha: float) -> float | None:
    """The shift in standard deviations that would be found in four windows of five, where it can be told."""
    if draft.p is None:
        return None
    if draft.sees is not None:
        return draft.sees(alpha)
    if not draft.cells:
        return None
    return smallest_shift(
        draft.reference_rows, draft.window_rows, draft.cells, alpha / 2, settings.min_effect
    )
