"""The conformance of tokens; a part of the yard's kit."""

from __future__ import annotations

from modelyard.errors import ModelyardError
from modelyard.ports import Yard
from modelyard.testing import samples
from modelyard.testing.expect import expected
from modelyard.testing.operations import change


class TokensKit:
    def test_tokens(self, yard: Yard) -> None:
        first, other = samples.token(), samples.token("b2", environments=("prod",), used=samples.NOON)
        change(yard, lambda f: f.tokens.put(first), lambda f: f.tokens.put(other))
        with yard.read() as facts:
            assert facts.tokens.get("a1") == facts.tokens.by_sha256(first.sha256) == first
            assert facts.tokens.get("c3") is None
            assert facts.tokens.by_sha256(samples.digest("nobody's")) is None
            assert facts.tokens.list() == [first, other]
            assert not facts.tokens.asked()
        with expected(ModelyardError):
            change(yard, lambda f: f.tokens.put(samples.token("c3", sha256=first.sha256)))

    def test_a_yard_asks_from_when_it_has_a_lasting_admin(self, yard: Yard) -> None:
        for fields in (
            {"roles": ("developer", "deployer")},
            {"roles": ("admin",), "environments": ("prod",)},
            {"roles": ("admin",), "expires": samples.NOON},
            {"roles": ("admin",), "revoked": samples.NOON},
        ):
            change(yard, lambda f, fields=fields: f.tokens.put(samples.token(**fields)))  # type: ignore[misc]
            with yard.read() as facts:
                assert not facts.tokens.asked(), fields
        change(yard, lambda f: f.tokens.put(samples.token(roles=("admin",))))
        with yard.read() as facts:
            assert facts.tokens.asked()
