"""The conformance of the history of monitoring; a part of the yard's kit."""

from __future__ import annotations

import datetime as dt

from modelyard.ports import Yard
from modelyard.records.window import Brief, ExaminedWindow
from modelyard.testing import samples
from modelyard.testing.operations import change

_HOUR = dt.timedelta(hours=1)


def _window(hour: int, *, version: int = 1, environment: str = "prod", rows: int = 100) -> ExaminedWindow:
    start = samples.NOON + hour * _HOUR
    return ExaminedWindow(
        environment=environment,
        model="screening",
        version=version,
        package=samples.digest("package"),
        start=start,
        end=start + _HOUR,
        examined=start + 2 * _HOUR,
        rows=rows,
        judged=True,
        report=samples.digest(f"report {hour}"),
        findings=(
            Brief("drift", "größe", "", 0.5, 0.4, None, True),
            Brief("missing", "a", "", 0, 0, 1, False),
        ),
    )


class WindowsKit:
    def test_examined_windows_are_kept(self, yard: Yard) -> None:
        for window in (_window(1), _window(0), _window(2), _window(1, environment="test")):
            change(yard, lambda f, w=window: f.windows.put(w))  # type: ignore[misc]
        with yard.read() as facts:
            assert facts.windows.list("prod") == [_window(2), _window(1), _window(0)]
            assert facts.windows.list("prod", "screening", limit=1) == [_window(2)]
            assert facts.windows.latest("prod", "screening") == _window(2)
            assert facts.windows.latest("prod", "nobody") is None
            assert len(facts.windows.list()) == 4
            since = samples.NOON + _HOUR
            assert facts.windows.list("prod", since=since, until=since + _HOUR) == [_window(1)]
            assert [b.column for b in facts.windows.list("test")[0].alerts] == ["größe"]

    def test_a_window_that_is_examined_again_is_replaced(self, yard: Yard) -> None:
        late = _window(0, rows=120)
        for window in (_window(0), _window(0, version=2), late):
            change(yard, lambda f, w=window: f.windows.put(w))  # type: ignore[misc]
        with yard.read() as facts:
            assert facts.windows.list() == [_window(0, version=2), late]
