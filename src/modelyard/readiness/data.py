"""Tests of features and data."""

from __future__ import annotations

import math

from modelyard.metrics.corrections import holm
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
from modelyard.records.dataset import DatasetVersion
from modelyard.records.explanation import FeatureImportance

_ALPHA = 0.05
ELSEWHERE = "What it learnt from is not on record here."
TRAIN_HERE = "Train it here, on a dataset of the yard."


def expectations(known: Known) -> Found:
    """D1."""
    if known.data is None:
        return missing(ELSEWHERE, TRAIN_HERE)
    features = known.data.schema.features
    without = [c.name for c in features if not (c.declared or c.warned)]
    if without:
        return missing(
            f"{len(features) - len(without)} of {count(len(features), 'feature')} have a rule that a person declared; "
            f"without one: {some(without)}.",
            f"Declare in {known.schema_file} what each may hold, and ingest again (docs/schema.md).",
            file(known.schema_file),
        )
    return made(
        f"Each of {count(len(features), 'feature')} has rules that a person declared, held at ingest and at every "
        "request.",
        file(known.schema_file),
        shown(f"the schema of {known.data.ref}", f"data show {known.data.ref}"),
    )


def beneficial(known: Known) -> Found:
    """D2."""
    found = known.report.importance
    if found is None or not found.features:
        why = f" ({found.note.rstrip('.')})" if found and found.note else ""
        return missing(
            f"The report does not say what the answers rest on{why}.",
            "Leave evaluation.importance on, and evaluate.",
            report(known.ref),
        )
    measured = {one.column for one in found.features}
    unmeasured = [c.name for c in known.manifest.schema.features if c.name not in measured]
    harmful = _harmful(found.features)
    if harmful:
        return failed(
            f"The answers are worse for {some(harmful)} (permutation importance below 0, Holm's correction).",
            f"Forbid {'it' if len(harmful) == 1 else 'them'} in {known.schema_file}, train and compare.",
            report(known.ref),
        )
    if unmeasured:
        return missing(
            f"The benefit of {some(unmeasured)} was not measured.", "Evaluate again.", report(known.ref)
        )
    idle = [one.column for one in found.features if one.low <= 0]
    told = f"; of {some(idle)} none is shown" if idle else ""
    return made(
        f"{len(measured) - len(idle)} of {count(len(measured), 'feature')} are shown to make the answers better{told}.",
        report(known.ref),
    )


def _harmful(features: tuple[FeatureImportance, ...]) -> list[str]:
    """Whose shuffling made the answers better, by more than the chance of so many looks."""
    p = []
    for one in features:
        error = (one.high - one.low) / (2 * 1.959964)
        z = one.increase / error if error > 0 else 0.0
        p.append(0.5 * math.erfc(-z / math.sqrt(2)))
    corrected = holm(p)
    return [
        one.column for one, value in zip(features, corrected, strict=True) if value <= _ALPHA and one.high < 0
    ]


def costs(known: Known) -> Found:
    """D3."""
    asked, name = known.written.costs, known.version.model
    if asked is None:
        return missing(
            "Nobody said what a feature costs.",
            f"Say it under [{name}.costs] in readiness.toml: unit, budget, and the cost of each feature.",
        )
    columns = [c.name for c in known.manifest.schema.features]
    where = file("readiness.toml")
    unpriced = [c for c in columns if c not in asked.features] if asked.default is None else []
    if unpriced:
        return missing(
            f"What {some(unpriced)} costs is not said.",
            f"Add it to [{name}.costs.features], or a default.",
            where,
        )
    price = {c: asked.features.get(c, asked.default or 0.0) for c in columns}
    total = sum(price.values())
    if total > asked.budget:
        return failed(
            f"Its features cost {total:g} {asked.unit}, above the budget of {asked.budget:g}.",
            "Leave out what does least for what it costs.",
            where,
            report(known.ref),
        )
    importance = known.report.importance
    shown_good = {one.column for one in (importance.features if importance else ()) if one.low > 0}
    idle = [c for c in columns if c in asked.features and price[c] > 0 and c not in shown_good]
    if importance and importance.features and idle:
        return failed(
            f"{some(idle)} cost something and no benefit is shown.",
            "Leave them out, or evaluate on more rows.",
            where,
            report(known.ref),
        )
    return made(
        f"Its features cost {total:g} {asked.unit} of a budget of {asked.budget:g}; what is priced is of benefit.",
        where,
        report(known.ref),
    )


def requirements(known: Known) -> Found:
    """D4."""
    if known.data is None:
        return missing(ELSEWHERE, TRAIN_HERE)
    settings = known.settings.data.get(known.data.dataset)
    refused = list(settings.refuse) if settings else []
    forbidden = [c.name for c in known.data.schema.columns if c.forbidden]
    if not refused and not forbidden:
        return missing(
            "No column is forbidden, and no finding at ingest refuses the data.",
            f"Mark what must never be a feature 'forbidden' in {known.schema_file}, and set "
            f'data.{known.data.dataset}.refuse, such as ["target_leak"].',
        )
    parts = [f"{some(forbidden)} can be no feature"] if forbidden else []
    parts += [f"ingest refuses data with {some(refused)}"] if refused else []
    return made(f"Held at each ingest: {'; '.join(parts)}.", file(known.schema_file), file("modelyard.toml"))


def privacy(known: Known) -> Found:
    """D5."""
    if known.data is None:
        return missing(ELSEWHERE, TRAIN_HERE)
    personal = [c.name for c in known.data.schema.columns if c.personal]
    if known.mode & 0o077:
        return failed(
            f"The yard's folder .modelyard is open to others (mode {known.mode & 0o777:o}).",
            "Run 'chmod 700 .modelyard'.",
            file(".modelyard"),
        )
    if not personal:
        return missing(
            "No column is marked as personal.",
            f"Mark those that are about a person in {known.schema_file} ('personal = true'); where there are none, "
            "have that written down.",
        )
    return made(
        f"{some(personal)}: in no message, page, importance or quarantine is a value of theirs, by the schema's mark; "
        "the yard's folder is its owner's alone.",
        file(known.schema_file),
    )


def additions(known: Known) -> Found:
    """D6."""
    for version, names in reversed(_grown(known)):
        later = [v for v in known.versions if learnt(v.dataset, known) >= version.number]
        went = [r for v in later if (r := known.was_live(v.number, known.last))]
        if went:
            first = min(went, key=lambda r: r.finished or known.now)
            took = (first.finished or known.now) - version.created
            return made(
                f"{some(sorted(names))} came with {version.ref} and served in {known.last} {span(took)} later, as "
                f"{first.model}@{first.version}.",
                shown(f"what became of {version.ref}", f"lineage {version.ref}"),
            )
    return missing(
        "No feature that was added after the first version of the data has gone live yet.",
        "Take one new feature from the source to the last environment; the time it takes is read from the record.",
    )


def _grown(known: Known) -> list[tuple[DatasetVersion, set[str]]]:
    """Dataset versions with features that none before them had."""
    grown, seen = [], set[str]()
    for at, version in enumerate(known.datasets):
        names = {c.name for c in version.schema.features}
        if at and names - seen:
            grown.append((version, names - seen))
        seen |= names
    return grown


def learnt(dataset: str, known: Known) -> int:
    name, _, number = dataset.partition("@")
    ours = known.data is not None and name == known.data.dataset
    return int(number) if ours and number.isdecimal() else 0


def feature_code(known: Known) -> Found:
    """D7."""
    settings = known.settings.data.get(known.data.dataset) if known.data else None
    shaped = settings.transform if settings else None
    if shaped is not None and (shaped.python or shaped.sql):
        return missing(
            f"Features are made by {shaped.python or 'SQL'} at ingest, whose tests Modelyard does not run.",
            "Test that code, and have it written down.",
        )
    checked = next(known.told("package.checked", code=known.run.code.digest), None) if known.run else None
    if checked is None:
        return missing(
            "No run of the model's own tests with this code is on record.",
            f"Test what makes features of rows in test_model.py, and run 'modelyard check {known.version.model}'.",
        )
    return made(
        f"The code that makes features is the model's, and its {checked.payload['tests']} tests passed with it.",
        event(checked),
    )
