"""The conformance of what people say of versions, and of searching them; a part of the yard's kit."""

from __future__ import annotations

import datetime as dt

from modelyard.errors import ModelyardError
from modelyard.ports import Facts, Yard
from modelyard.records.registry import Deprecation
from modelyard.records.schema import Kind
from modelyard.tables.expressions import judge, parse
from modelyard.testing import samples
from modelyard.testing.expect import expected
from modelyard.testing.operations import add_version, change


class LabelsKit:
    def test_labels(self, yard: Yard) -> None:
        said = samples.marks(
            note="größer\nals",
            tags={"team": "risk", "b": "1"},
            deprecated=Deprecation(reason="old", successor=2, by="bob", since=samples.NOON),
        )
        change(yard, add_version, lambda f: add_version(f, 2))
        change(yard, lambda f: f.labels.put(said), lambda f: f.labels.put(samples.marks(2, note="two")))
        with yard.read() as facts:
            assert facts.labels.get("screening", 1) == said
            assert (
                facts.labels.list() == facts.labels.list("screening") == [said, samples.marks(2, note="two")]
            )
            assert facts.labels.list("nobody") == []
            assert facts.labels.get("screening", 9) == samples.marks(9)
            assert facts.versions.known("tags") == ["b", "team"]
        change(yard, lambda f: f.labels.put(samples.marks()))
        with yard.read() as facts:
            assert facts.labels.get("screening", 1) == samples.marks()
            assert facts.versions.known("tags", "screening") == []
        with expected(ModelyardError):
            change(yard, lambda f: f.labels.put(samples.marks(9)))

    def test_an_alias_is_of_one_version(self, yard: Yard) -> None:
        change(yard, add_version, lambda f: add_version(f, 2), lambda f: f.aliases.put(samples.alias()))
        moved, other = samples.alias(version=2), samples.alias("beta")
        change(yard, lambda f: f.aliases.put(moved), lambda f: f.aliases.put(other))
        with yard.read() as facts:
            assert facts.aliases.get("screening", "champion") == moved
            assert facts.aliases.get("nobody", "champion") is None
            assert facts.versions.aliased("screening", "champion") == samples.version(2)
            assert facts.versions.aliased("screening", "gamma") is None
            assert facts.aliases.list() == facts.aliases.list("screening") == [other, moved]
        change(yard, lambda f: f.aliases.remove("screening", "beta"))
        change(yard, lambda f: f.aliases.remove("screening", "beta"))
        with yard.read() as facts:
            assert facts.aliases.list() == [moved]
        with expected(ModelyardError):
            change(yard, lambda f: f.aliases.put(samples.alias(version=9)))


_KINDS: dict[str, Kind] = {
    "version": "integer",
    "registered": "datetime",
    "by": "string",
    "dataset": "string",
    "run": "string",
    "note": "string",
    "deprecated": "boolean",
    "metrics.auc": "float",
    "metrics.loss": "float",
    "tags.team": "string",
    "aliases.champion": "boolean",
    "admitted.test": "boolean",
    "live.test": "boolean",
}
_FOUND = {
    "version >= 2": [2, 3],
    "registered < '2026-01-02T12:30'": [1],
    "by = 'ann'": [1, 3],
    "dataset != 'patients@1'": [2],
    "run in ('r1', 'r3')": [1, 3],
    "note is null": [2, 3],
    "note = 'good'": [1],
    "deprecated": [2],
    "not deprecated": [1, 3],
    "metrics.auc > 0.9": [1, 2],
    "not metrics.auc > 0.9": [],  # of 3 it is unknown
    "metrics.auc is null": [3],
    "metrics.auc > 0.9 or version = 3": [1, 2, 3],
    "metrics.auc - metrics.loss >= 0.85": [1],
    "metrics.auc / (version - 1) > 0.9": [2],  # of 1 it is no number
    "tags.team = 'risk'": [1],
    "tags.team != 'risk'": [2],
    "tags.team in ('risk', 'fraud') and not deprecated": [1],
    "aliases.champion": [2],
    "admitted.test = false": [3],
    "live.test and metrics.auc > 0": [1],
    "tags.team = 'x'' or ''1''=''1'": [],
}


class SearchKit:
    def test_versions_are_searched(self, yard: Yard) -> None:
        later = samples.NOON + dt.timedelta(hours=1)

        def fill(facts: Facts) -> None:
            for number in (1, 2, 3):
                facts.packages.put(samples.package(f"r{number}"))
            facts.versions.add(samples.version(1, metrics={"auc": 0.95, "loss": 0.05}))
            facts.versions.add(
                samples.version(
                    2, by="bob", dataset="patients@2", metrics={"auc": 0.91, "loss": 0.5}, registered=later
                )
            )
            facts.versions.add(samples.version(3, registered=later))
            facts.labels.put(samples.marks(1, note="good", tags={"team": "risk"}))
            told = Deprecation(reason="old", by="bob", since=samples.NOON)
            facts.labels.put(samples.marks(2, tags={"team": "fraud"}, deprecated=told))
            facts.aliases.put(samples.alias(version=2))
            facts.admissions.add(samples.admission(1))
            facts.admissions.add(samples.admission(2))
            facts.releases.put(samples.release(1, status="live"))
            facts.releases.put(samples.release(2, version=2, status="failed"))

        change(yard, fill)
        with yard.read() as facts:
            for where, numbers in _FOUND.items():
                term = parse(where, _KINDS).term
                found = facts.versions.search(lambda values, term=term: judge(term, values), "screening")  # type: ignore[misc]
                assert [version.number for version in found] == numbers, where
                assert found == facts.versions.search(lambda values, term=term: judge(term, values))  # type: ignore[misc]
                assert not facts.versions.search(lambda values, term=term: judge(term, values), "nobody")  # type: ignore[misc]
            assert facts.versions.known("metrics") == ["auc", "loss"]
            assert facts.versions.known("aliases", "screening") == ["champion"]
            assert facts.versions.known("aliases", "nobody") == []
