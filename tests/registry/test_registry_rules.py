"""What may go where: registering, admission, reviews, references."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from modelyard import registry
from modelyard.errors import GateFailed, Misuse, ModelyardError, NotAdmitted, ReviewMissing, UnknownName
from modelyard.ports import Facts, Yard
from modelyard.records.registry import Admission, Review, Version
from modelyard.settings import EnvironmentSettings
from modelyard.storage.database import open_yard
from modelyard.storage.events import verify
from modelyard.testing import samples
from modelyard.testing.yard import do

T = TypeVar("T")
NOW = samples.NOON
ENVIRONMENTS = {
    "test": EnvironmentSettings(port=8101),
    "staging": EnvironmentSettings(port=8102),
    "prod": EnvironmentSettings(port=8103, reviews=("sme", "ethics")),
}
FOUR_EYES = {**ENVIRONMENTS, "prod": EnvironmentSettings(port=8103, reviews=("ethics",), four_eyes=True)}


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return open_yard("sqlite:///yard.db", tmp_path)


def register(yard: Yard, name: str = "r1", *, by: str = "ann", environments: tuple[str, ...] = tuple(ENVIRONMENTS), **fields: str | None) -> Version:  # fmt: skip
    package = samples.package(name, **fields)
    return do(
        yard,
        lambda f: registry.register(
            f, package=package, dataset="patients@1", environments=environments, by=by, now=NOW
        ),
        Version,
    )


def promote(
    yard: Yard, to: str, version: int = 1, environments: dict[str, EnvironmentSettings] = ENVIRONMENTS
) -> Admission:
    return do(
        yard,
        lambda f: registry.promote(
            f, model="screening", version=version, to=to, environments=environments, by="ann", now=NOW
        ),
        Admission,
    )


def review(yard: Yard, subject: str, *, yes: bool = True, by: str = "bob", reason: str = "seen") -> Review:
    return do(
        yard,
        lambda f: registry.review(
            f, model="screening", version=1, subject=subject, yes=yes, reason=reason, by=by, now=NOW
        ),
        Review,
    )


def resolve(yard: Yard, ref: str) -> Version:
    with yard.read() as facts:
        return registry.resolve(facts, ref, tuple(ENVIRONMENTS))


def actions(yard: Yard) -> list[str]:
    with yard.read() as facts:
        return [f"{e.action} {e.object}" for e in facts.events.list()]


def refusal(kind: type[ModelyardError], work: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        work()
    sentence = str(caught.value)
    assert sentence.endswith((".", "?"))
    return sentence


# Registering


def test_a_package_gets_the_next_number_and_enters_the_first_environment(yard: Yard) -> None:
    one, two = register(yard, "r1"), register(yard, "r2")
    assert (one.ref, two.ref) == ("screening@1", "screening@2")
    assert (one.package, one.report, one.run) == (
        samples.package("r1").digest,
        samples.package("r1").report,
        "r1",
    )
    assert (one.dataset, one.by, one.registered) == ("patients@1", "ann", NOW)
    with yard.read() as facts:
        assert facts.admissions.get("screening", 1, "test")
        assert facts.admissions.get("screening", 1, "staging") is None
    assert actions(yard)[:2] == ["version.registered screening@1", "version.admitted screening@1"]
    assert verify(yard) == 4


def test_the_same_digest_again_is_the_same_version_and_no_event(yard: Yard) -> None:
    first = register(yard, by="ann")
    events = actions(yard)
    assert register(yard, by="ben", report=samples.digest("another report")) == first
    assert actions(yard) == events
    assert register(yard, "r2").number == 2


def test_a_first_environment_that_came_later_admits_when_registered_again(yard: Yard) -> None:
    register(yard)
    register(yard, environments=("dev", "test"))
    with yard.read() as facts:
        assert facts.admissions.get("screening", 1, "dev")


def test_without_a_report_there_is_no_version(yard: Yard) -> None:
    assert "modelyard evaluate screening" in refusal(GateFailed, lambda: register(yard, report=None))
    assert actions(yard) == []
    assert register(yard).number == 1


def test_without_an_environment_there_is_no_version(yard: Yard) -> None:
    assert "[environments.test]" in refusal(Misuse, lambda: register(yard, environments=()))


# Admission


def test_environments_admit_in_order(yard: Yard) -> None:
    register(yard)
    review(yard, "sme")
    review(yard, "ethics")
    sentence = refusal(NotAdmitted, lambda: promote(yard, "prod"))
    assert "'modelyard promote screening@1 --to staging'" in sentence
    assert promote(yard, "staging").environment == "staging"
    assert promote(yard, "prod").environment == "prod"


def test_a_repeat_of_a_promotion_is_harmless(yard: Yard) -> None:
    register(yard)
    first = promote(yard, "staging")
    events = actions(yard)
    assert promote(yard, "staging") == first
    assert promote(yard, "test").environment == "test"
    assert actions(yard) == events


def test_what_is_admitted_stays_so_when_more_is_asked_for(yard: Yard) -> None:
    register(yard)
    promote(yard, "staging")
    stricter = {**ENVIRONMENTS, "staging": EnvironmentSettings(port=8102, reviews=("legal",))}
    assert promote(yard, "staging", environments=stricter).environment == "staging"


def test_unknown_environments_and_versions_are_said(yard: Yard) -> None:
    register(yard)
    sentence = refusal(UnknownName, lambda: promote(yard, "pord"))
    assert "did you mean 'prod'" in sentence
    assert "test, staging, prod" in sentence
    assert "screening@1" in refusal(UnknownName, lambda: promote(yard, "staging", 2))


# Reviews


def ready(yard: Yard) -> None:
    register(yard)
    promote(yard, "staging")


def test_a_missing_review_is_named_with_its_command(yard: Yard) -> None:
    ready(yard)
    review(yard, "sme")
    sentence = refusal(ReviewMissing, lambda: promote(yard, "prod"))
    assert "'ethics'" in sentence
    assert 'modelyard review screening@1 --for ethics --yes --reason "..."' in sentence
    review(yard, "ethics")
    assert promote(yard, "prod").environment == "prod"


def test_the_last_answer_counts(yard: Yard) -> None:
    ready(yard)
    review(yard, "sme")
    review(yard, "ethics", yes=True)
    review(yard, "ethics", yes=False, by="cleo", reason="not for children")
    sentence = refusal(ReviewMissing, lambda: promote(yard, "prod"))
    assert "cleo" in sentence
    assert "not for children" in sentence
    review(yard, "ethics", yes=True, by="cleo", reason="now it is")
    assert promote(yard, "prod").environment == "prod"


def test_four_eyes_wants_somebody_elses_yes(yard: Yard) -> None:
    ready(yard)
    review(yard, "ethics", by=" Ann ")
    sentence = refusal(ReviewMissing, lambda: promote(yard, "prod", environments=FOUR_EYES))
    assert "somebody else" in sentence
    review(yard, "ethics", by="bob")
    review(yard, "ethics", by="ann", yes=False, reason="I was wrong")
    refusal(ReviewMissing, lambda: promote(yard, "prod", environments=FOUR_EYES))
    review(yard, "ethics", by="ann", reason="I was right")
    refusal(ReviewMissing, lambda: promote(yard, "prod", environments=FOUR_EYES))
    review(yard, "ethics", by="bob", reason="settled")
    assert promote(yard, "prod", environments=FOUR_EYES).environment == "prod"


def test_an_authors_yes_cannot_undo_anothers_no(yard: Yard) -> None:
    ready(yard)
    review(yard, "ethics", by="bob", yes=False)
    review(yard, "ethics", by="ann")
    refusal(ReviewMissing, lambda: promote(yard, "prod", environments=FOUR_EYES))


def test_a_review_has_a_reason_and_an_event(yard: Yard) -> None:
    register(yard)
    given = review(yard, "ethics", reason="  read the card ")
    assert (given.reason, given.by, given.verified) == ("read the card", "bob", False)
    assert actions(yard)[-1] == "review.given screening@1"
    events = actions(yard)
    assert review(yard, "ethics", reason="read the card") == given
    assert actions(yard) == events
    for reason in ("", "   ", "x" * 2001, "broken \udcff"):
        refusal(Misuse, lambda r=reason: review(yard, "ethics", reason=r))  # type: ignore[misc]
    refusal(Misuse, lambda: review(yard, "ethics", by=" "))
    refusal(UnknownName, lambda: do(yard, lambda f: registry.review(f, model="screening", version=9, subject="ethics", yes=True, reason="x", by="b", now=NOW), Review))  # fmt: skip
    assert actions(yard) == events


# References


@pytest.mark.parametrize(
    ("ref", "parts"),
    [
        ("screening", ("screening", None)),
        ("screening@7", ("screening", "7")),
        ("a-b_c@prod", ("a-b_c", "prod")),
        ("m@latest", ("m", "latest")),
        ("m@run", ("m", "run")),
        ("m@" + "a" * 64, ("m", "a" * 64)),
    ],
)
def test_references_have_a_name_and_a_selector(ref: str, parts: tuple[str, str | None]) -> None:
    assert registry.parse(ref) == parts


@pytest.mark.parametrize(
    "ref", ["", "@", "m@", "@7", "m@1@2", "M", "m n", "m@-1", "m@../x", "m\n", "m@7\n", "m@٧", "x" * 64]
)
def test_what_is_no_reference_is_said(ref: str) -> None:
    with pytest.raises(Misuse, match="NAME@7"):
        registry.parse(ref)


def test_references_resolve(yard: Yard) -> None:
    one, two = register(yard, "r1"), register(yard, "r2")
    assert resolve(yard, "screening") == resolve(yard, "screening@latest") == two
    assert resolve(yard, "screening@1") == resolve(yard, "screening@01") == one

    def go_live(facts: Facts) -> None:
        release = registry.begin(facts, environment="test", model="screening", version=1, by="ann", now=NOW)
        registry.succeed(facts, release.id, NOW + dt.timedelta(seconds=1))

    do(yard, go_live, type(None))
    assert resolve(yard, "screening@test") == one


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("screening@9", ["screening@9", "screening@2"]),
        ("screening@0", ["screening@0"]),
        ("screening@" + "9" * 40, ["screening@2"]),
        ("screening@prod", ["modelyard deploy prod screening"]),
        ("screening@stagin", ["did you mean 'staging'", "test, staging, prod"]),
        ("screenin", ["did you mean 'screening'"]),
        ("other@1", ["known: screening"]),
        ("other@prod", ["known: screening"]),
    ],
)
def test_what_is_not_there_is_said_with_what_is(yard: Yard, ref: str, words: list[str]) -> None:
    register(yard, "r1")
    register(yard, "r2")
    sentence = refusal(UnknownName, lambda: resolve(yard, ref))
    for word in words:
        assert word in sentence


def test_an_empty_yard_says_how_to_begin(yard: Yard) -> None:
    assert "'modelyard build screening'" in refusal(UnknownName, lambda: resolve(yard, "screening@latest"))
