"""``with expected(SomeError):`` for kits, which run under any test runner."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def expected(kind: type[Exception], *, naming: str = "") -> Iterator[None]:
    """The block raises ``kind`` with ``naming`` in its sentence."""
    try:
        yield
    except kind as error:
        if naming not in str(error):
            raise AssertionError(f"{error!r} does not name {naming!r}") from error
    else:
        raise AssertionError(f"{kind.__name__} was not raised")
