"""Tests of the model's development."""

from __future__ import annotations

from modelyard.readiness.data import learnt
from modelyard.readiness.found import (
    Found,
    count,
    event,
    failed,
    file,
    made,
    missing,
    report,
    shown,
    some,
    span,
)
from modelyard.readiness.known import Known
from modelyard.records.comparison import PairedMetric


def reviewed(known: Known) -> Found:
    """M1."""
    code = known.run.code if known.run else None
    lineage = shown(f"how {known.ref} was made", f"lineage {known.ref}")
    if code is None or code.commit is None:
        return missing("Its code is of no commit.", "Commit the model's folder, and build.", lineage)
    if code.dirty:
        return missing(
            f"Its code is not what commit {code.commit[:12]} holds: there were changes on top.",
            "Commit them, and build.",
            lineage,
        )
    others = [r for r in known.reviews if r.yes and r.by != known.version.by]
    if not others:
        return missing(
            f"It is commit {code.commit[:12]}, but nobody else said yes to it.",
            f"Set environments.{known.last or 'prod'}.reviews, and have another person give "
            f"'modelyard review {known.ref} --for ... --yes'.",
            lineage,
        )
    yes = next(known.told("review.given", answer="yes", by=others[-1].by), None)
    return made(
        f"It is commit {code.commit[:12]}; {others[-1].by} said yes to it ({others[-1].subject}).",
        lineage,
        *([event(yes)] if yes else []),
    )


def online(known: Known) -> Found:
    """M2."""
    return missing(
        "That better figures on the test split bring better outcomes in use is not on record.",
        f"Compare two versions on what their predictions led to, and write it down; 'modelyard releases {known.last}' "
        "tells when which answered.",
    )


def tuned(known: Known) -> Found:
    """M3."""
    study = known.run.study if known.run else None
    if study is None or study.complete < 2:
        return missing(
            "Its parameters were not searched for.",
            f"Give the model a SPACE, and models.{known.version.model}.tune.",
        )
    return made(
        f"{study.complete} trials ({study.sampler}) on folds of the training split; the best has {study.metric} "
        f"{study.value if study.value is not None else float('nan'):.4g}.",
        shown("its trials", f"runs show {known.version.run}"),
    )


def staleness(known: Known) -> Found:
    """M4."""
    now = learnt(known.report.dataset, known)
    for comparison in known.report.comparisons:
        older = next((v for v in known.versions if v.ref == comparison.champion), None)
        if older is None or not comparison.metrics or not 0 < learnt(older.dataset, known) < now:
            continue
        one = _chosen(comparison.metrics, known)
        apart = known.version.registered - older.registered
        between = f" [{one.low:.3g}, {one.high:.3g}]" if one.low is not None and one.high is not None else ""
        return made(
            f"On {known.report.dataset}, {older.ref} of {older.dataset} ({span(apart)} older) is at {one.name} "
            f"{one.champion:.4g} and {known.ref} at {one.value:.4g}, a difference of {one.difference:+.3g}{between}.",
            report(known.ref),
        )
    return missing(
        "How much an older model is worth on newer data was not measured.",
        f"With 'champion' in models.{known.version.model}.evaluation, or 'no_worse_than' in a gate, a version on "
        "newer data is compared with the live one.",
    )


def _chosen(metrics: tuple[PairedMetric, ...], known: Known) -> PairedMetric:
    """The metric that decides, or else the first."""
    name = known.model.metric or known.report.metrics[0].name
    return next((m for m in metrics if m.name == name), metrics[0])


def simpler(known: Known) -> Found:
    """M5."""
    baselines = [b for b in known.report.baselines if b.metrics]
    if not baselines:
        return missing(
            "It was not held against anything simpler.", "Leave evaluation.baselines on, and evaluate."
        )
    told = []
    for baseline in baselines:
        one = _chosen(baseline.metrics, known)
        end = one.high if one.higher_is_better else one.low
        if end is not None and (end < 0 if one.higher_is_better else end > 0):
            return failed(
                f"A simpler model ({baseline.name}) is better: {one.name} {one.champion:.4g} against {one.value:.4g}.",
                "Take the simpler one, or find what the larger one lacks.",
                report(known.ref),
            )
        told.append(f"{baseline.name} {one.champion:.4g}")
    one = _chosen(baselines[0].metrics, known)
    return made(f"{one.name} is {one.value:.4g}; of what is simpler: {', '.join(told)}.", report(known.ref))


def slices(known: Known) -> Found:
    """M6."""
    told = known.report
    if not told.slices:
        return missing(
            "Its quality was not measured on the parts of the rows that matter.",
            f"Name them in models.{known.version.model}.evaluation.slices; a gate with 'slices' holds each to its bound.",
        )
    columns = list(dict.fromkeys(part.column for part in told.slices))
    bad = [gate.sentence for gate in told.gates if gate.by and not gate.passed]
    if bad:
        return failed(f"{bad[0]}", "Mend the model there.", report(known.ref))
    gated = sorted({gate.by for gate in told.gates if gate.by})
    held = f"; gates hold {some(gated)} to a bound" if gated else ""
    weak = len(told.search.found) if told.search else 0
    found = f"; a search over all features found {count(weak, 'weak part')}" if told.search else ""
    return made(f"Measured by {some(columns)} at each evaluation{held}{found}.", report(known.ref))


def inclusion(known: Known) -> Found:
    """M7."""
    told = known.report.fairness
    if not told:
        return missing(
            "How it treats groups of people was not measured.",
            f"Name the columns under [models.{known.version.model}.fairness]; where no person is concerned, have that "
            "written down.",
        )
    columns = [one.column for one in told]
    ruled = [gate for gate in known.report.gates if gate.rule in ("max_gap", "min_ratio")]
    if bad := next((gate for gate in ruled if not gate.passed), None):
        return failed(bad.sentence, "Find out why the groups are treated otherwise.", report(known.ref))
    judged = [one.column for one in told if sum(group.judged for group in one.groups) >= 2]
    if not judged:
        return missing(
            f"By {some(columns)}, fewer than two groups have rows enough to be judged.",
            "Hold more rows back for the test.",
            report(known.ref),
        )
    bound = f"; {count(len(ruled), 'bound')} held" if ruled else "; no bound is set"
    return made(
        f"Selection, true and false positive rates by {some(judged)}{bound}.",
        report(known.ref),
        file("modelyard.toml"),
    )
