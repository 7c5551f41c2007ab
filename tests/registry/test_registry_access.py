"""Who may do what, held in every transaction of a yard."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from modelyard import registry
from modelyard.errors import AccessDenied, Misuse, ReviewMissing, UnknownName
from modelyard.ports import Facts, Yard
from modelyard.records.access import Role, Token
from modelyard.records.event import Event
from modelyard.registry.access import Guard
from modelyard.settings import EnvironmentSettings
from modelyard.storage.database import open_yard
from modelyard.storage.events import verify
from modelyard.testing import samples
from modelyard.testing.yard import change, do

NOW = samples.NOON
ENVIRONMENTS = {
    "test": EnvironmentSettings(port=8101),
    "prod": EnvironmentSettings(port=8103, reviews=("ethics",)),
}


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Office:
    """One yard on disk, opened by people with different secrets."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self.clock = folder, clock

    def yard(self, secret: str = "") -> Yard:
        guard = Guard(secret, clock=self.clock)
        return open_yard("sqlite:///yard.db", self.folder, clock=self.clock, guard=guard)

    def create(
        self,
        secret: str,
        *roles: Role,
        by: str = "",
        environments: tuple[str, ...] = (),
        expires: dt.datetime | None = None,
    ) -> Token:
        return do(
            self.yard(by),
            lambda f: registry.create(
                f,
                token_id=f"id-{secret}",
                secret=secret,
                person=secret,
                roles=roles,
                environments=environments,
                expires=expires,
                by=by or "root",
                now=self.clock(),
            ),
            Token,
        )

    def revoke(self, secret: str, by: str, *, last: bool = False) -> Token:
        return do(
            self.yard(by),
            lambda f: registry.revoke(f, token_id=f"id-{secret}", now=self.clock(), last=last),
            Token,
        )


@pytest.fixture
def office(tmp_path: Path, clock: Clock) -> Office:
    return Office(tmp_path, clock)


@pytest.fixture
def guarded(office: Office) -> Office:
    """A yard that asks for tokens, with one of each kind."""
    office.create("admin", "admin")
    for role in ("viewer", "developer", "reviewer", "deployer"):
        office.create(role, role, by="admin")
    office.create("prod", "deployer", by="admin", environments=("prod",))
    office.create("chief", "admin", by="admin", environments=("prod",))
    return office


def register(yard: Yard, name: str = "r1") -> None:
    change(
        yard,
        lambda f: registry.register(
            f, package=samples.package(name), dataset="patients@1", environments=("test",), by="x", now=NOW
        ),
    )


def note(yard: Yard) -> None:
    change(yard, lambda f: registry.note(f, model="screening", version=1, text=str(id(yard))))


def review(yard: Yard, *, verified: bool = True) -> None:
    change(
        yard,
        lambda f: registry.review(
            f,
            model="screening",
            version=1,
            subject="ethics",
            yes=True,
            reason=str(id(yard)),
            by="reviewer",
            now=NOW,
            verified=verified,
        ),
    )


def promote(yard: Yard) -> None:
    change(
        yard,
        lambda f: registry.promote(
            f, model="screening", version=1, to="prod", environments=ENVIRONMENTS, by="x", now=NOW
        ),
    )


def deploy(yard: Yard, environment: str = "test") -> None:
    change(
        yard,
        lambda f: registry.begin(f, environment=environment, model="screening", version=1, by="x", now=NOW),
    )


def collect(yard: Yard) -> None:
    change(yard, lambda f: f.events.append("yard.collected", "yard", artifacts=1))


def tried(yard: Yard) -> None:
    change(yard, lambda f: f.events.append("version.tried", "screening@1", environment="test", tests=9))


def seen(yard: Yard) -> None:
    """What somebody saw who only looked."""
    for action in ("package.checked", "package.reproduced", "window.examined"):
        change(yard, lambda f, action=action: f.events.append(action, "screening@1", environment="test"))


def look(yard: Yard) -> None:
    with yard.read() as facts:
        facts.versions.list()


def test_a_yard_without_an_admin_asks_nobody(office: Office) -> None:
    office.create("ci", "deployer", expires=NOW + dt.timedelta(days=1))
    register(office.yard())
    note(office.yard())
    deploy(office.yard())
    with office.yard().read() as facts:
        events = facts.events.list()
    assert not any(event.verified for event in events)
    assert events[0].payload == {
        "id": "id-ci",
        "roles": "deployer",
        "environments": "",
        "expires": "2026-01-03T12:00:00.123456+00:00",
    }


def test_a_guarded_yard_asks_everybody_even_to_look(guarded: Office) -> None:
    for act in (look, register, note, review, promote, deploy, collect):
        with pytest.raises(AccessDenied, match="set MODELYARD_TOKEN"):
            act(guarded.yard())
        with pytest.raises(AccessDenied, match="none of this yard"):
            act(guarded.yard("a guess"))


@pytest.mark.parametrize(
    ("who", "may"),
    [
        ("viewer", {"seen"}),
        ("developer", {"seen", "register", "note"}),
        ("reviewer", {"seen", "review"}),
        ("deployer", {"seen", "deploy", "promote", "tried"}),
        ("admin", {"seen", "register", "note", "review", "deploy", "promote", "tried", "collect", "create"}),
        ("chief", {"seen", "register", "note", "review", "promote"}),
    ],
)
def test_each_role_does_its_own(guarded: Office, who: str, may: set[str]) -> None:
    register(guarded.yard("admin"))
    review(guarded.yard("admin"))

    def create(_: Yard) -> None:
        guarded.create(f"made by {who}", "viewer", by=who)

    acts = {
        "register": lambda yard: register(yard, "r2"),
        "note": note,
        "review": review,
        "deploy": deploy,
        "promote": promote,
        "tried": tried,
        "seen": seen,
        "collect": collect,
        "create": create,
    }
    look(guarded.yard(who))
    for name, act in acts.items():
        with guarded.yard("admin").read() as facts:
            before = facts.events.list()
        if name in may:
            act(guarded.yard(who))
            with guarded.yard("admin").read() as facts:
                done = facts.events.list(after=len(before))
            assert done, name
            assert {(e.actor, e.payload["token"], e.verified) for e in done} == {(who, f"id-{who}", True)}
        else:
            with pytest.raises(AccessDenied, match=f"id-{who}"):
                act(guarded.yard(who))
            with guarded.yard("admin").read() as facts:
                assert facts.events.list() == before, name
    assert verify(guarded.yard("admin"))


def test_roles_count_in_their_environments(guarded: Office) -> None:
    register(guarded.yard("admin"))
    review(guarded.yard("admin"))
    with pytest.raises(AccessDenied, match="is for prod, not for test"):
        deploy(guarded.yard("prod"), "test")
    promote(guarded.yard("prod"))
    deploy(guarded.yard("prod"), "prod")


def test_an_admin_of_one_environment_makes_tokens_for_it_alone(guarded: Office) -> None:
    guarded.create("helper", "deployer", by="chief", environments=("prod",))
    for environments in ((), ("test",), ("prod", "test")):
        with pytest.raises(AccessDenied, match="an admin's for prod alone"):
            guarded.create("other", "deployer", by="chief", environments=environments)
    guarded.revoke("helper", "chief")
    with pytest.raises(AccessDenied):
        guarded.revoke("admin", "chief", last=True)


def test_revoked_and_expired_tokens_prove_nothing(guarded: Office, clock: Clock) -> None:
    guarded.create("temp", "developer", by="admin", expires=NOW + dt.timedelta(hours=1))
    look(guarded.yard("temp"))
    clock.now += dt.timedelta(hours=1)
    for act in (look, register):
        with pytest.raises(AccessDenied, match="id-temp of temp expired on 2026-01-02 13:00"):
            act(guarded.yard("temp"))
    guarded.revoke("developer", "admin")
    with pytest.raises(AccessDenied, match="id-developer of developer was revoked"):
        look(guarded.yard("developer"))
    count = len(_events(guarded))
    guarded.revoke("developer", "admin")
    assert len(_events(guarded)) == count
    with pytest.raises(UnknownName, match="no token id-nobody"):
        guarded.revoke("nobody", "admin")


def test_a_clock_that_is_set_back_brings_no_token_to_life(guarded: Office, clock: Clock) -> None:
    guarded.create("temp", "developer", by="admin", expires=NOW + dt.timedelta(hours=1))
    clock.now += dt.timedelta(hours=2)
    register(guarded.yard("admin"))
    clock.now = NOW
    with pytest.raises(AccessDenied, match="expired"):
        look(guarded.yard("temp"))
    note(guarded.yard("admin"))
    assert [event.seq for event in _events(guarded)] == list(range(1, 12))
    assert verify(guarded.yard("admin")) == 11, (
        "the chain's order is that of what happened, whatever clocks say"
    )


def test_the_yard_is_never_locked_out_of(office: Office) -> None:
    soon = NOW + dt.timedelta(days=1)
    for environments, expires in ((("prod",), None), ((), soon)):
        with pytest.raises(Misuse, match="first admin"):
            office.create("boss", "admin", environments=environments, expires=expires)
    office.create("boss", "admin")
    office.create("deputy", "admin", by="boss", expires=soon)
    with pytest.raises(Misuse, match="only admin's that lasts"):
        office.revoke("boss", "deputy")
    office.create("other", "admin", by="boss")
    office.revoke("boss", "other")
    with pytest.raises(Misuse, match="--last"):
        office.revoke("other", "other")
    office.revoke("other", "other", last=True)
    register(office.yard())


def test_tokens_that_make_no_sense(office: Office) -> None:
    for name in ("", " ", "x" * 121, "a\nb"):
        with pytest.raises(Misuse, match="name"):
            office.create(name, "viewer")
    with pytest.raises(Misuse, match="--role"):
        office.create("ann")
    with pytest.raises(Misuse, match="expired already"):
        office.create("ann", "viewer", expires=NOW)


def test_the_last_use_is_told_to_the_hour(guarded: Office, clock: Clock) -> None:
    def used() -> dt.datetime | None:
        with guarded.yard("admin").read() as facts:
            token = facts.tokens.get("id-developer")
        assert token
        return token.used

    assert used() is None
    register(guarded.yard("developer"))
    assert used() == NOW
    clock.now += dt.timedelta(minutes=59)
    note(guarded.yard("developer"))
    assert used() == NOW
    clock.now += dt.timedelta(minutes=2)
    note(guarded.yard("developer"))
    assert used() == clock.now


def test_a_yes_that_nothing_proved_does_not_count_where_tokens_are_asked_for(office: Office) -> None:
    register(office.yard())
    review(office.yard(), verified=False)
    office.create("admin", "admin")
    with pytest.raises(ReviewMissing, match="nobody has given"):
        promote(office.yard("admin"))
    review(office.yard("admin"))
    promote(office.yard("admin"))


def test_once_is_refused_before_it_is_done(guarded: Office) -> None:
    calls: list[Facts] = []
    with pytest.raises(AccessDenied):
        do(guarded.yard(), calls.append, type(None))
    assert calls == []


def _events(office: Office) -> list[Event]:
    with office.yard("admin").read() as facts:
        return facts.events.list()
