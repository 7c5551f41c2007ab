"""The 28 tests, and what they come to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from modelyard.readiness import data, infrastructure, model, monitoring
from modelyard.readiness.found import Found, file
from modelyard.readiness.known import Known
from modelyard.records.readiness import POINTS, Readiness, Section, State, Tested
from modelyard.settings.readiness import Documented


@dataclass(frozen=True)
class _Test:
    id: str
    title: str
    look: Callable[[Known], Found]

    @property
    def section(self) -> Section:
        return _SECTIONS[self.id[0]]


_SECTIONS: dict[str, Section] = {"D": "data", "M": "model", "I": "infrastructure", "O": "monitoring"}
TESTS = (
    _Test("D1", "What features may hold is in a schema", data.expectations),
    _Test("D2", "Every feature is of benefit", data.beneficial),
    _Test("D3", "No feature costs too much", data.costs),
    _Test("D4", "Features keep to what is required of all", data.requirements),
    _Test("D5", "The data has privacy controls", data.privacy),
    _Test("D6", "New features can be added quickly", data.additions),
    _Test("D7", "The code that makes features is tested", data.feature_code),
    _Test("M1", "Its specification is reviewed and versioned", model.reviewed),
    _Test("M2", "Figures of the test go with outcomes in use", model.online),
    _Test("M3", "Its hyperparameters are tuned", model.tuned),
    _Test("M4", "What staleness costs is known", model.staleness),
    _Test("M5", "A simpler model is not better", model.simpler),
    _Test("M6", "Quality holds on slices that matter", model.slices),
    _Test("M7", "It is tested for inclusion", model.inclusion),
    _Test("I1", "Training is reproducible", infrastructure.reproducible),
    _Test("I2", "Its specification is unit tested", infrastructure.unit_tested),
    _Test("I3", "The whole pipeline is integration tested", infrastructure.integrated),
    _Test("I4", "Quality is validated before it serves", infrastructure.gated),
    _Test("I5", "Single examples can be debugged", infrastructure.debuggable),
    _Test("I6", "A canary comes before it serves all", infrastructure.canary),
    _Test("I7", "It can be rolled back quickly and safely", infrastructure.rollback),
    _Test("O1", "Changes of what it depends on are told", monitoring.dependencies),
    _Test("O2", "The same invariants hold in training and serving", monitoring.invariants),
    _Test("O3", "Training and serving are not skewed", monitoring.skew),
    _Test("O4", "It is not too stale", monitoring.age),
    _Test("O5", "It is numerically stable", monitoring.stable),
    _Test("O6", "Speed and memory do not regress", monitoring.performance),
    _Test("O7", "Quality on served data does not regress", monitoring.quality),
)
_MEANINGS = (
    (0.0, "more of a research project than a production system"),
    (1.0, "not wholly untested, but holes in its reliability may be serious"),
    (2.0, "a first pass at production; more has to be put in"),
    (3.0, "reasonably tested; more of it could be automated"),
    (5.0, "strongly tested and monitored, fit for what is critical"),
    (7.0, "exceptionally tested and monitored"),
)
"""Up to which score, as the paper's table has it."""


def readiness(known: Known) -> Readiness:
    """Each test tried on what is known, and the score: the least of the sections' sums."""
    tests = tuple(_tested(test, known) for test in TESTS)
    sections = {
        section: sum(test.points for test in tests if test.section == section)
        for section in _SECTIONS.values()
    }
    score = min(sections.values())
    return Readiness(
        model=known.version.model,
        version=known.ref,
        package=known.version.package,
        live=tuple(release.environment for release in known.live),
        score=score,
        meaning=next(meaning for most, meaning in _MEANINGS if score <= most),
        sections=sections,
        tests=tests,
        created=known.now,
    )


def _tested(test: _Test, known: Known) -> Tested:
    found = test.look(known)
    written = next((done for test_id, done in known.written.tests.items() if test_id == test.id), None)
    state: State = found.state
    told, todo, evidence = found.told, found.todo, found.evidence
    if state == "missing" and written is not None:
        if _counts(written, known.now.date()):
            state, evidence = "documented", (file(written.where), *evidence)
            note = f": {written.note.rstrip('.')}" if written.note else ""
            told = f"By hand, by {written.who} on {written.when}{note}. Not by the system: {told}"
        else:
            told = f"What {written.who} did on {written.when} counted until {written.until}. {told}"
    return Tested(
        id=test.id,
        section=test.section,
        title=test.title,
        state=state,
        points=POINTS[state],
        found=told,
        evidence=evidence,
        todo=todo,
    )


def _counts(written: Documented, today: dt.date) -> bool:
    return written.until is None or today < written.until
