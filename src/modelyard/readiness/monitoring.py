"""Tests of what is watched once the model serves."""

from __future__ import annotations

import math

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
from modelyard.records.footprint import FIGURES

_NOT_LIVE = "It is live nowhere."
_DEPLOY = "Deploy it."


def dependencies(known: Known) -> Found:
    """O1."""
    declared = known.data is not None and bool(known.data.declared)
    if not declared:
        return missing(
            "Nothing is declared that a change of its sources would break.",
            f"Declare what the columns must hold in {known.schema_file}: a source that changes is then refused.",
        )
    if not known.pipelines:
        return missing(
            "A source that breaks its schema is refused, but no pipeline runs by itself and tells.",
            "Have your forge run 'modelyard build': its failure is the notice.",
            file(known.schema_file),
        )
    return made(
        "A pipeline builds it and fails, with a sentence, where a source breaks its schema.",
        file(known.schema_file),
        *(file(path) for path in known.pipelines),
    )


def invariants(known: Known) -> Found:
    """O2."""
    columns = known.manifest.schema.features
    held = [c.name for c in columns if c.declared or c.warned]
    if not held:
        return missing(
            "Beyond types and missing values nothing is declared that its inputs must hold.",
            f"Declare it in {known.schema_file}, and build: requests are held to the package's schema.",
        )
    if not known.live:
        return missing(_NOT_LIVE, _DEPLOY)
    return made(
        f"The rules of {count(len(held), 'column')} are in the package: ingest and the service in "
        f"{known.live[0].environment} hold every row to them.",
        file(known.schema_file),
        shown(f"the schema of {known.version.dataset}", f"data show {known.version.dataset}"),
    )


def skew(known: Known) -> Found:
    """O3."""
    if not known.live:
        return missing(_NOT_LIVE, _DEPLOY)
    where = known.live[0].environment
    looked = next(known.told("window.examined", environment=where, package=known.version.package), None)
    if looked is None or looked.payload["judged"] == "no":
        few = "" if looked is None else f" of rows enough ({looked.payload['rows']} in the last)"
        return missing(
            f"No window{few} of what it answered in {where} was held against what it learnt from.",
            f"Run 'modelyard monitor {where} {known.version.model} --fail' on a schedule.",
        )
    if alerts := int(looked.payload["alerts"]):
        return failed(
            f"In the last window of {where}, {count(alerts, 'alert')} in {looked.payload['rows']} predictions: "
            f"{looked.payload['columns']}.",
            f"'modelyard monitor {where} {known.version.model}' tells in what the rows differ: mend the source, or "
            "train on newer data.",
            event(looked),
        )
    tried = next(known.told("version.tried", package=known.version.package, environment=where), None)
    golden = "; its service answered the golden rows as they were sealed" if tried else ""
    return made(
        f"{looked.payload['rows']} predictions of {where} are as the rows it learnt from, column by column, without an "
        f"alert ({looked.ts:%Y-%m-%d}){golden}.",
        event(looked),
        *([event(tried)] if tried else []),
    )


def age(known: Known) -> Found:
    """O4."""
    oldest = known.written.oldest
    if oldest is None:
        return missing(
            "Nobody said how old its data may be.",
            f'Set {known.version.model}.max_age in readiness.toml, such as "30d".',
        )
    if known.data is None:
        return missing(
            "What it learnt from is not on record here.", "Train it here, on a dataset of the yard."
        )
    newest = known.data.newest or known.data.created
    what = "Its newest row is" if known.data.newest else f"{known.data.ref} is"
    told = f"{what} {span(known.now - newest)} old, and may be {known.written.max_age}"
    where = (file("readiness.toml"), shown(known.data.ref, f"data show {known.data.ref}"))
    if known.now - newest > oldest:
        return failed(f"{told}.", "Ingest newer rows, build, and deploy.", *where)
    return made(f"{told}.", *where)


def stable(known: Known) -> Found:
    """O5."""
    logged = known.run.metrics if known.run else {}
    bad = [name for name, value in logged.items() if isinstance(value, str) or not math.isfinite(value)]
    if bad:
        return failed(
            f"The training logged {some(bad)} that ended as no finite number.",
            "Find where it leaves the numbers.",
            shown("the run", f"runs show {known.version.run}"),
        )
    stability = known.report.stability
    if stability is None or not stability.shakes:
        return missing(
            "How its answers hold when rows are a little other was not measured.",
            "Leave evaluation.stability on, and evaluate.",
        )
    worst = max(stability.shakes, key=lambda shake: shake.growth)
    what = "noise" if worst.kind == "noise" else "missing values"
    return made(
        f"Noise and missing values were tried at {count(len(stability.shakes), 'level')}; at worst ({what}, {worst.level:g}) "
        f"the mean loss of {stability.base:.3g} changes by {worst.growth:+.2g}. What was logged is finite.",
        report(known.ref),
    )


def performance(known: Known) -> Found:
    """O6."""
    gates = [gate for gate in known.report.gates if gate.metric in FIGURES]
    if not gates:
        measured = known.report.footprint
        told = (
            f"It takes {measured.one.p99:.3g} ms (p99) and {measured.memory_mb:.0f} MB, and nothing holds it there."
            if measured
            else "What it takes to answer was not measured."
        )
        return missing(
            told,
            f"Bound latency_p99_ms and memory_mb under [models.{known.version.model}.gates].",
            *([report(known.ref)] if measured else []),
        )
    if bad := next((gate for gate in gates if not gate.passed), None):
        return failed(bad.sentence, "Make it smaller or faster.", report(known.ref))
    return made(
        " ".join(f"{gate.sentence.rstrip('.')}." for gate in gates), report(known.ref), file("modelyard.toml")
    )


def quality(known: Known) -> Found:
    """O7."""
    live = known.live[0] if known.live else None
    since = (live.finished or live.started) if live else None
    if live is None or since is None:
        return missing(_NOT_LIVE, _DEPLOY)
    later = [
        e
        for e in known.told("package.evaluated", package=known.version.package)
        if e.ts > since and learnt(str(e.payload["data"]), known) > learnt(known.version.dataset, known)
    ]
    if not later:
        return missing(
            f"Since it went live in {live.environment} it was not measured on newer rows with their outcomes.",
            f"Ingest rows of its time in use, and run 'modelyard evaluate {known.version.model}@{live.environment}'.",
        )
    told = f"On {later[0].payload['data']}, {later[0].ts:%Y-%m-%d}"
    if later[0].payload["passed"] != "yes":
        return failed(
            f"{told}, it does not meet its gates any more.", "Build on the newer rows.", event(later[0])
        )
    return made(f"{told}, it still meets its gates.", event(later[0]))
