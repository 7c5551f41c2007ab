"""Notes, tags, aliases, deprecation and filters: what people say of versions, and what follows from it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from modelyard import registry
from modelyard.errors import AccessDenied, Deprecated, Misuse, ReviewMissing, UnknownName
from modelyard.ports import Facts, Yard
from modelyard.records.registry import Admission, Alias, Marks, Release, Review, Trial, Version
from modelyard.settings import EnvironmentSettings, PersonSettings
from modelyard.storage.database import open_yard
from modelyard.storage.events import verify
from modelyard.testing import samples
from modelyard.testing.yard import change, do

NOW = samples.NOON
ENVIRONMENTS = {
    "test": EnvironmentSettings(port=8101),
    "prod": EnvironmentSettings(port=8103, reviews=("ethics",)),
}
PEOPLE = {"Eva": PersonSettings(reviews=("ethics",)), "ann": PersonSettings()}


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Three versions, all admitted to test."""
    yard = open_yard("sqlite:///yard.db", tmp_path)

    def register(facts: Facts) -> None:
        for number, auc in ((1, 0.95), (2, 0.91), (3, float("nan"))):
            registry.register(
                facts,
                package=samples.package(f"r{number}"),
                dataset="patients@1",
                environments=tuple(ENVIRONMENTS),
                by="ann",
                now=NOW,
                metrics={"auc": auc},
            )

    change(yard, register)
    return yard


def tag(yard: Yard, name: str = "team", value: str = "risk", version: int = 1) -> Marks:
    return do(
        yard,
        lambda f: registry.tag(f, model="screening", version=version, name=name, value=value),
        Marks,
    )


def note(yard: Yard, text: str) -> Marks:
    return do(yard, lambda f: registry.note(f, model="screening", version=1, text=text), Marks)


def alias(yard: Yard, name: str, version: int = 1) -> Alias:
    return do(
        yard,
        lambda f: registry.alias(
            f, model="screening", version=version, name=name, environments=ENVIRONMENTS, by="ann", now=NOW
        ),
        Alias,
    )


def deprecate(
    yard: Yard, version: int = 1, *, reason: str = "old rows", successor: int | None = None
) -> Marks:
    return do(
        yard,
        lambda f: registry.deprecate(
            f, model="screening", version=version, reason=reason, successor=successor, by="ann", now=NOW
        ),
        Marks,
    )


def deploy(yard: Yard, version: int, *, restores: int | None = None, now: dt.datetime = NOW) -> Release:
    def go(facts: Facts) -> Release:
        begun = registry.begin(
            facts,
            environment="test",
            model="screening",
            version=version,
            by="ann",
            now=now,
            restores=restores,
        )
        return registry.succeed(facts, begun.id, now)

    return do(yard, go, Release)


def search(yard: Yard, where: str, model: str | None = "screening") -> list[int]:
    with yard.read() as facts:
        return [v.number for v in registry.search(facts, where, environments=ENVIRONMENTS, model=model)]


def events(yard: Yard) -> list[tuple[str, str, dict[str, str | int]]]:
    with yard.read() as facts:
        return [(e.action, e.object, e.payload) for e in facts.events.list()]


def test_a_note_replaces_the_one_before_on_record(yard: Yard) -> None:
    assert note(yard, "  first ").note == "first"
    assert note(yard, "second").note == "second"
    before = events(yard)
    assert before[-1] == ("version.noted", "screening@1", {"note": "second"})
    note(yard, "second ")
    assert events(yard) == before
    assert note(yard, "").note == ""
    for text in ("x" * 10_001, "broken \udcff"):
        with pytest.raises(Misuse):
            note(yard, text)
    assert verify(yard) == len(before) + 1


def test_tags_are_given_and_taken_away(yard: Yard) -> None:
    tag(yard, "team", "risk")
    assert tag(yard, "a.b-c_d", "größe = 1").tags == {"a.b-c_d": "größe = 1", "team": "risk"}
    assert tag(yard, "team", "fraud").tags["team"] == "fraud"
    assert events(yard)[-1][2] == {"tag": "team", "value": "fraud", "before": "risk"}
    assert "team" not in tag(yard, "team", "").tags
    count = len(events(yard))
    tag(yard, "never", "")
    assert len(events(yard)) == count
    for name in ("", "1a", "a b", "a=b", "ä", "x" * 64, "a\n"):
        with pytest.raises(Misuse, match="tag's name"):
            tag(yard, name)
    with pytest.raises(Misuse, match="500 at most"):
        tag(yard, "long", "x" * 501)
    for n in range(99):
        tag(yard, f"n{n}", "x")
    with pytest.raises(Misuse, match="100 tags already"):
        tag(yard, "one_more")
    with pytest.raises(UnknownName, match="screening@9"):
        tag(yard, version=9)


def test_an_alias_is_moved_and_resolved(yard: Yard) -> None:
    alias(yard, "champion", 1)
    alias(yard, "champion", 2)
    assert events(yard)[-1] == ("version.aliased", "screening@2", {"alias": "champion", "before": 1})
    count = len(events(yard))
    alias(yard, "champion", 2)
    assert len(events(yard)) == count
    with yard.read() as facts:
        assert registry.resolve(facts, "screening@champion", ENVIRONMENTS).number == 2
        with pytest.raises(UnknownName, match="did you mean 'champion'"):
            registry.resolve(facts, "screening@champoin", ENVIRONMENTS)
        with pytest.raises(UnknownName, match="known: screening"):
            registry.resolve(facts, "other@champion", ENVIRONMENTS)
    do(yard, lambda f: registry.unalias(f, model="screening", name="champion"), Alias)
    with pytest.raises(UnknownName, match="no alias 'champion'"):
        do(yard, lambda f: registry.unalias(f, model="screening", name="champion"), Alias)


@pytest.mark.parametrize("name", ["latest", "run", "prod", "7", "", "Big", "a b", "x" * 64, "a\n"])
def test_names_that_mean_something_else_are_no_aliases(yard: Yard, name: str) -> None:
    with pytest.raises(Misuse, match=r"alias"):
        alias(yard, name)


def test_an_environment_that_comes_later_goes_before_an_alias_of_its_name(yard: Yard) -> None:
    alias(yard, "canary", 1)
    with yard.read() as facts, pytest.raises(UnknownName, match="Nothing of screening is live in canary"):
        registry.resolve(facts, "screening@canary", [*ENVIRONMENTS, "canary"])


def test_a_deprecated_version_goes_nowhere_and_says_which_to_use(yard: Yard) -> None:
    live = deploy(yard, 1)
    marks = deprecate(yard, 1, successor=2)
    assert marks.deprecated
    assert (marks.deprecated.reason, marks.deprecated.successor, marks.deprecated.by) == (
        "old rows",
        2,
        "ann",
    )
    with pytest.raises(Deprecated, match=r"old rows\); use screening@2 instead, or run 'modelyard deprecate"):
        deploy(yard, 1)
    with yard.read() as facts:
        assert facts.releases.live("test", "screening") == live
        with pytest.raises(Deprecated):
            registry.admissible(facts, model="screening", version=1, to="prod", environments=ENVIRONMENTS)
    assert deploy(yard, 2).status == "live"
    assert deploy(yard, 1, restores=live.id).status == "live", "a rollback is never kept from its target"
    do(yard, lambda f: registry.reinstate(f, model="screening", version=1), Marks)
    assert deploy(yard, 1).status == "live"
    assert [e[0] for e in events(yard) if "deprecat" in e[0] or "reinst" in e[0]] == [
        "version.deprecated",
        "version.reinstated",
    ]


def test_deprecations_that_make_no_sense(yard: Yard) -> None:
    deprecate(yard, 2)
    for successor, words in ((1, "its own successor"), (2, "is deprecated itself")):
        with pytest.raises(Misuse, match=words):
            deprecate(yard, 1, successor=successor)
    with pytest.raises(UnknownName, match="screening@9"):
        deprecate(yard, 1, successor=9)
    for reason in ("", " ", "x" * 2001):
        with pytest.raises(Misuse):
            deprecate(yard, 1, reason=reason)
    count = len(events(yard))
    deprecate(yard, 2)
    do(yard, lambda f: registry.reinstate(f, model="screening", version=1), Marks)
    assert len(events(yard)) == count


def test_versions_are_found_by_what_is_said_of_them(yard: Yard) -> None:
    tag(yard, "team", "risk", version=2)
    alias(yard, "champion", 2)
    deprecate(yard, 1)
    deploy(yard, 3)
    assert search(yard, "metrics.auc > 0.9") == search(yard, "metrics.auc > 0.9", None) == [1, 2]
    assert search(yard, "metrics.auc > 0.9 and not deprecated") == [2]
    assert search(yard, "metrics.auc is null") == [3], "what is no number was not measured"
    assert search(yard, "tags.team = 'risk' and \"aliases.champion\"") == [2]
    assert search(yard, "live.test or tags.team in ('risk')") == [2, 3]
    assert search(yard, "admitted.prod") == []
    assert search(yard, "registered >= '2026-01-01' and by = 'ann' and version < 3") == [1, 2]


@pytest.mark.parametrize(
    ("where", "kind", "words"),
    [
        ("", Misuse, "ends too early"),
        ("metrics.auc >", Misuse, "ends too early"),
        ("metrics.auc", Misuse, "neither true nor false"),
        ("metrics.auc > 'high'", Misuse, "cannot be compared"),
        ("tags.team > 'a'", Misuse, "does not go with a string"),
        ("stage = 'prod'", Misuse, "nothing of a version"),
        ("metrics. > 1", Misuse, "cannot be read"),
        ("live.pord", Misuse, "names no environment; known: test, prod"),
        ("registered > 'soon'", Misuse, "no datetime"),
        ("version = 1; drop table versions", Misuse, "cannot be read"),
        ("1 = 1", Misuse, "names no column"),
        ("(" * 60 + "deprecated" + ")" * 60, Misuse, "nested too deeply"),
        ("deprecated or " * 100 + "deprecated", Misuse, "characters"),
        ("metrics.acu > 1", UnknownName, "did you mean 'metrics.auc'"),
        ("tags.team = 'x'", UnknownName, "known: none"),
        ("aliases.champion", UnknownName, "No version of screening has 'aliases.champion'"),
    ],
)
def test_filters_that_cannot_be_answered_are_said(
    yard: Yard, where: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words.replace("(", r"\(")):
        search(yard, where)


def test_a_filter_chooses_the_newest_that_may(yard: Yard) -> None:
    def choose(where: str, admitted: str = "test") -> int:
        with yard.read() as facts:
            chosen = registry.choose(facts, "screening", where, environments=ENVIRONMENTS, admitted=admitted)
            return chosen.number

    assert choose("metrics.auc > 0.9") == 2
    deprecate(yard, 2)
    assert choose("metrics.auc > 0.9") == 1
    for where, admitted in (("version = 2", "test"), ("metrics.auc > 0.99", "test"), ("version = 1", "prod")):
        with pytest.raises(UnknownName, match=f"admitted to {admitted} and not deprecated"):
            choose(where, admitted)


# Who may give which review


def review(yard: Yard, by: str, people: dict[str, PersonSettings]) -> Review:
    return do(
        yard,
        lambda f: registry.review(
            f,
            model="screening",
            version=1,
            subject="ethics",
            yes=True,
            reason="seen",
            by=by,
            now=NOW,
            people=people,
        ),
        Review,
    )


def promote(yard: Yard, people: dict[str, PersonSettings]) -> Admission:
    return do(
        yard,
        lambda f: registry.promote(
            f,
            model="screening",
            version=1,
            to="prod",
            environments=ENVIRONMENTS,
            by="ann",
            now=NOW,
            people=people,
            where="version = 1",
        ),
        Admission,
    )


def test_only_whom_people_names_may_give_a_review(yard: Yard) -> None:
    with pytest.raises(AccessDenied, match=r"bob may not give the review 'ethics'.*to Eva"):
        review(yard, "bob", PEOPLE)
    review(yard, "bob", {})  # before [people] said so
    with pytest.raises(ReviewMissing, match="nobody has given"):
        promote(yard, PEOPLE)
    review(yard, " eva ", PEOPLE)
    admitted = promote(yard, PEOPLE)
    assert admitted.where == "version = 1"
    assert events(yard)[-1][2] == {"environment": "prod", "where": "version = 1"}


def test_what_was_live_at_any_time(yard: Yard) -> None:
    at = [NOW + dt.timedelta(hours=n) for n in range(6)]
    first = deploy(yard, 1, now=at[0])
    second = deploy(yard, 2, now=at[1])
    deploy(yard, 1, now=at[2], restores=first.id)
    do(
        yard,
        lambda f: registry.stop(f, environment="test", model="screening", by="ann", now=at[3]),
        Release,
    )
    deploy(yard, 3, now=at[4])

    def live(moment: dt.datetime) -> list[int]:
        with yard.read() as facts:
            return [release.version for release in registry.live_at(facts, moment)]

    half, tick = dt.timedelta(minutes=30), dt.timedelta(microseconds=1)
    assert [live(moment + half) for moment in at] == [[1], [2], [1], [], [3], [3]]
    assert live(NOW - tick) == []
    assert (live(at[1] - tick), live(at[1])) == ([1], [2])
    with yard.read() as facts:
        assert [release.ended for release in reversed(facts.releases.list())] == [at[1], at[2], at[3], None]
        told = facts.releases.get(second.id)
        assert told
        assert told.status == "rolled_back"


def test_releases_from_before_their_end_was_recorded(yard: Yard) -> None:
    """An older yard: ends are told by the release that followed, and by the event of a stop."""
    from msgspec.structs import replace

    later, latest = NOW + dt.timedelta(hours=1), NOW + dt.timedelta(hours=2)
    deploy(yard, 1, now=NOW)
    deploy(yard, 2, now=later)
    do(
        yard,
        lambda f: registry.stop(f, environment="test", model="screening", by="ann", now=latest),
        Release,
    )

    def forget(facts: Facts) -> None:
        for release in facts.releases.list():
            facts.releases.put(replace(release, ended=None))

    change(yard, forget)
    half = dt.timedelta(minutes=30)
    with yard.read() as facts:
        found = [[r.version for r in registry.live_at(facts, t + half)] for t in (NOW, later, latest)]
    assert found == [[1], [2], []]


def test_what_was_tried_beside_the_live_one_was_not_live(yard: Yard) -> None:
    deploy(yard, 1)

    def tried(facts: Facts) -> Release:
        begun = registry.begin(
            facts,
            environment="test",
            model="screening",
            version=2,
            by="ann",
            now=NOW,
            trial=Trial(arm="canary", share=0.1),
        )
        return registry.succeed(facts, begun.id, NOW + dt.timedelta(hours=1))

    do(yard, tried, Release)
    with yard.read() as facts:
        found = registry.live_at(facts, NOW + dt.timedelta(hours=2))
        assert [release.version for release in found] == [1]
        assert [v.number for v in registry.search(facts, "live.test", environments=ENVIRONMENTS)] == [1]


def test_a_clock_that_jumped_back_shows_one_version_at_a_time(yard: Yard) -> None:
    deploy(yard, 1, now=NOW + dt.timedelta(hours=2))
    deploy(yard, 2, now=NOW)
    with yard.read() as facts:
        for hours in (0, 1, 2, 3):
            found = registry.live_at(facts, NOW + dt.timedelta(hours=hours))
            assert [release.version for release in found] == [2]


def test_a_version_keeps_what_its_report_measured(yard: Yard) -> None:
    with yard.read() as facts:
        found = facts.versions.get("screening", 1)
        assert found
        assert found.metrics == {"auc": 0.95}
        last = facts.versions.get("screening", 3)
        assert isinstance(last, Version)
        assert last.metrics == {}
