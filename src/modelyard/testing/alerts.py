"""The conformance of alerts and notices; a part of the yard's kit."""

from __future__ import annotations

import datetime as dt

from modelyard.errors import Misuse
from modelyard.ports import Yard
from modelyard.testing import samples
from modelyard.testing.expect import expected
from modelyard.testing.operations import change, do


class AlertsKit:
    def test_of_one_trouble_one_alert_is_open(self, yard: Yard) -> None:
        assert do(yard, lambda f: f.alerts.next_id(), int) == 1
        over = samples.alert(1, state="resolved", resolved=samples.NOON)
        change(yard, lambda f: f.alerts.put(samples.alert(1)), lambda f: f.alerts.put(over))
        change(yard, lambda f: f.alerts.put(samples.alert(2)))
        with expected(Misuse):
            change(yard, lambda f: f.alerts.put(samples.alert(3)))
        change(yard, lambda f: f.alerts.put(samples.alert(3, column="bmi")))
        with yard.read() as facts:
            assert facts.alerts.get(1) == over
            assert facts.alerts.get(9) is None
            assert [alert.id for alert in facts.alerts.list()] == [3, 2, 1]
            assert [alert.id for alert in facts.alerts.list("open", limit=1)] == [3]
            assert facts.alerts.list("resolved") == [over]

    def test_notices_wait_until_they_arrive_or_are_given_up(self, yard: Yard) -> None:
        later = samples.NOON + dt.timedelta(seconds=1)
        change(
            yard,
            lambda f: f.notices.put(samples.notice(1, due=later)),
            lambda f: f.notices.put(samples.notice(2)),
            lambda f: f.notices.put(samples.notice(3, delivered=later)),
            lambda f: f.notices.put(samples.notice(4, given_up=True)),
        )
        with yard.read() as facts:
            assert [notice.id for notice in facts.notices.due(samples.NOON, 9)] == [2]
            assert [notice.id for notice in facts.notices.due(later, 9)] == [2, 1]
            assert [notice.id for notice in facts.notices.due(later, 1)] == [2]
            assert [notice.id for notice in facts.notices.list(limit=3)] == [4, 3, 2]
        change(yard, lambda f: f.notices.put(samples.notice(2, delivered=later)))
        with yard.read() as facts:
            assert facts.notices.due(samples.NOON, 9) == []
