"""Alerts: opened once, told together, silenced, escalated, over; delivered however often it takes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from modelyard import alerts
from modelyard.errors import Misuse, UnknownName
from modelyard.ports import Yard
from modelyard.records.alert import Alert, Notice
from modelyard.records.finding import Finding, WindowReport
from modelyard.records.window import examined
from modelyard.settings.alerts import AlertSettings, ChannelSettings
from modelyard.storage.database import open_yard
from modelyard.testing import samples
from modelyard.testing.samples import NOON
from modelyard.testing.yard import change, do

pytestmark = pytest.mark.filterwarnings(
    "ignore:'imghdr' is deprecated"
)  # by Apprise's plugins, in Python 3.11
HOUR = dt.timedelta(hours=1)
TEAM = AlertSettings(
    channels={
        "team": ChannelSettings(variable="TEAM"),
        "boss": ChannelSettings(variable="BOSS", escalation=True),
        "data": ChannelSettings(variable="DATA", families=("data_quality",), models=("screening",)),
    },
    runbooks={"drift": "https://wiki.example/drift"},
)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return open_yard("sqlite:///yard.db", tmp_path)


def finding(column: str, kind: Any = "drift", **fields: Any) -> Finding:
    words: dict[str, Any] = {
        "statistic": "psi",
        "value": 0.3,
        "p_value": 0.001,
        "p_corrected": 0.01,
        "effect": 0.3,
        "effect_name": "psi",
        "reference_rows": 100,
        "window_rows": 100,
        "alert": True,
        "sentence": f"{column} moved",
    }
    return Finding(kind=kind, column=column, **(words | fields))


def window(hour: int, *found: Finding, **fields: Any) -> WindowReport:
    words: dict[str, Any] = {
        "environment": "prod",
        "model": "screening",
        "version": 1,
        "start": NOON + (hour - 1) * HOUR,
        "end": NOON + hour * HOUR,
        "rows": 100,
        "alpha": 0.05,
        "correction": "holm",
        "findings": found,
    }
    return WindowReport(**(words | fields))


def see(
    yard: Yard, report: WindowReport, settings: AlertSettings = TEAM, versions: tuple[int, ...] = ()
) -> None:
    def work(facts: Any) -> None:
        alerts.window_seen(facts, report, "0" * 64, settings, now=report.end, versions=versions)
        facts.windows.put(examined(report, "0" * 64))

    change(yard, work)


def there(yard: Yard) -> list[Alert]:
    with yard.read() as facts:
        return facts.alerts.list()[::-1]


def told(yard: Yard) -> list[tuple[str, str, tuple[int, ...]]]:
    with yard.read() as facts:
        return [(n.channel, n.news, n.alerts) for n in facts.notices.list()[::-1]]


def test_a_trouble_is_one_alert_however_often_it_is_seen(yard: Yard) -> None:
    see(yard, window(1, finding("age"), finding("bmi")))
    see(yard, window(2, finding("age", sentence="age moved further")))
    first, second = there(yard)
    assert (first.column, first.state, first.times, first.sentence) == ("age", "open", 2, "age moved further")
    assert (second.column, second.state) == ("bmi", "resolved")
    assert told(yard) == [("team", "opened", (1, 2)), ("team", "resolved", (2,))], "together, and once"
    see(yard, window(3, finding("bmi")))
    assert [(a.id, a.state) for a in there(yard)] == [(1, "resolved"), (2, "resolved"), (3, "open")]


def test_the_same_window_again_changes_nothing(yard: Yard) -> None:
    for _ in range(3):
        see(yard, window(1, finding("age")))
    see(yard, window(1))
    [alert] = there(yard)
    assert (alert.state, alert.times) == ("open", 1), "a look at the same window calms nothing"
    assert told(yard) == [("team", "opened", (1,))]


def test_what_is_of_the_past_or_was_not_judged_neither_opens_nor_calms(yard: Yard) -> None:
    see(yard, window(3, finding("age")))
    see(yard, window(1, finding("bmi")))
    see(yard, window(2))
    see(yard, window(4, note="too few rows"))
    assert [(a.column, a.state) for a in there(yard)] == [("age", "open")]
    see(yard, window(5))
    assert [a.state for a in there(yard)] == ["resolved"]


def test_of_two_versions_that_answer_the_calm_one_ends_nothing_of_the_other(yard: Yard) -> None:
    for hour in (1, 2, 3):
        see(yard, window(hour), versions=(1, 2))
        see(yard, window(hour, finding("age"), version=2), versions=(1, 2))
    assert [(a.id, a.state, a.times) for a in there(yard)] == [(1, "open", 3)]
    assert told(yard) == [("team", "opened", (1,))], "once, not with every window"
    see(yard, window(4), versions=(1, 2))
    see(yard, window(4, version=2, note="too few rows"), versions=(1, 2))
    assert [a.state for a in there(yard)] == ["open"]
    see(yard, window(5))
    assert [a.state for a in there(yard)] == ["resolved"], "the other one answers no more"


def test_what_is_never_escalated_for_long_is_no_trouble(yard: Yard) -> None:
    see(yard, window(1, finding("age")))
    never = AlertSettings(escalate_after="99999d")
    change(yard, lambda facts: alerts.escalate(facts, never, now=NOON + 100 * HOUR))
    assert [a.escalated for a in there(yard)] == [None]


def test_as_many_calm_windows_as_the_settings_say(yard: Yard) -> None:
    patient = AlertSettings(calm=2)
    for hour, found in enumerate(((finding("age"),), (), (finding("age"),), (), ()), start=1):
        assert [a.state for a in there(yard)] in ([], ["open"])
        see(yard, window(hour, *found), patient)
    assert [(a.state, a.times) for a in there(yard)] == [("resolved", 2)]


def test_models_environments_slices_and_kinds_are_apart(yard: Yard) -> None:
    found = (finding("age"), finding("age", "missing"), finding("age", slice="sex = f"))
    see(yard, window(1, *found))
    see(yard, window(1, finding("age"), environment="test"))
    see(yard, window(1, finding("age"), model="triage"))
    assert len({a.key for a in there(yard)}) == 5
    see(yard, window(2))
    assert [a.state for a in there(yard)] == ["resolved"] * 3 + ["open"] * 2


def test_channels_are_told_of_what_they_are_for(yard: Yard) -> None:
    see(yard, window(1, finding("age", "missing"), finding("bmi")))
    see(yard, window(1, finding("age", "missing"), model="triage"))
    assert told(yard) == [("team", "opened", (1, 2)), ("data", "opened", (1,)), ("team", "opened", (3,))]
    with yard.read() as facts:
        team = facts.notices.list()[-1]
    assert (team.title, team.severity) == ("screening in prod: 2 alerts", "critical")
    assert "what to do: https://wiki.example/drift" in team.body
    assert "age moved" in team.body


def test_what_is_silenced_is_told_of_when_the_silence_is_over_and_it_is_not(yard: Yard) -> None:
    quiet = AlertSettings()
    see(yard, window(1, finding("age")), quiet)
    until = NOON + 3 * HOUR
    silenced = do(yard, lambda f: alerts.silence(f, 1, until=until, by="ann", reason="known"), Alert)
    assert (silenced.silenced, silenced.by) == (until, "ann")
    change(yard, lambda f: f.alerts.put(_untold(silenced)))
    see(yard, window(2, finding("age")))
    change(yard, lambda f: alerts.escalate(f, TEAM, now=NOON + 2.9 * HOUR))
    assert told(yard) == []
    see(yard, window(4, finding("age")))
    assert told(yard) == [("team", "opened", (1,))]


def _untold(alert: Alert) -> Alert:
    from msgspec.structs import replace

    return replace(alert, told=False)


def test_what_stays_open_is_escalated_once(yard: Yard) -> None:
    see(yard, window(1, finding("age")))
    for hours in (4.9, 5.1, 9):
        change(yard, lambda f, h=hours: alerts.escalate(f, TEAM, now=NOON + h * HOUR))  # type: ignore[misc]
    assert told(yard) == [("team", "opened", (1,)), ("boss", "escalated", (1,))]
    see(yard, window(10))
    assert told(yard)[2:] == [("team", "resolved", (1,)), ("boss", "resolved", (1,))]


def test_a_person_says_that_it_is_over(yard: Yard) -> None:
    see(yard, window(1, finding("age")))
    words = {"by": "ann", "reason": "a new ward", "settings": TEAM, "now": NOON}
    ended = do(yard, lambda f: alerts.resolve(f, 1, **words), Alert)
    assert (ended.state, ended.by, ended.reason) == ("resolved", "ann", "a new ward")
    with pytest.raises(Misuse, match="over since"):
        change(yard, lambda f: alerts.resolve(f, 1, **words))
    with pytest.raises(Misuse, match="over since"):
        change(yard, lambda f: alerts.silence(f, 1, until=NOON, by="ann", reason=""))
    with pytest.raises(UnknownName, match="no alert 9"):
        change(yard, lambda f: alerts.resolve(f, 9, **words))
    with yard.read() as facts:
        assert [e.action for e in facts.events.list()] == ["alert.resolved"]


def test_a_job_that_failed_is_an_alert_until_one_like_it_is_done(yard: Yard) -> None:
    for state, at in (("failed", 1), ("failed", 2), ("cancelled", 3), ("done", 4), ("done", 5)):
        job = samples.job(at, state=state, reason="gate")
        change(yard, lambda f, j=job: alerts.job_ended(f, j, TEAM, now=NOON))  # type: ignore[misc]
    [alert] = there(yard)
    assert (alert.kind, alert.state, alert.model) == ("job", "resolved", "screening")
    assert told(yard) == [("team", "opened", (1,)), ("team", "resolved", (1,))]


def test_mail_and_webhooks_arrive(hook: Any, mailbox: Any, tmp_path: Path, yard: Yard) -> None:
    box, port = mailbox
    (tmp_path / "mail").write_text(
        f"mailto://127.0.0.1:{port}/?from=yard@clinic.example&to=ann@clinic.example\n"
    )
    settings = AlertSettings(
        channels={"hook": ChannelSettings(variable="HOOK"), "mail": ChannelSettings(file="mail")}
    )
    see(yard, window(1, finding("größe", "missing")), settings)
    channels = alerts.Channels(settings, tmp_path, {"HOOK": hook.url})
    with yard.read() as facts:
        due = facts.notices.due(NOON + HOUR, 9)
    for notice in due:
        sent = alerts.send(notice, channels, now=NOON)
        assert (sent.delivered, sent.problem) == (NOON, ""), sent
        change(yard, lambda f, n=sent: f.notices.put(n))  # type: ignore[misc]
    assert len(due) == 2
    [message] = hook.taken
    assert message["title"] == "screening in prod: missing größe"
    assert "größe moved" in message["message"]
    [mail] = box.taken
    assert "ann@clinic.example" in (mail["To"] or "")
    with yard.read() as facts:
        assert facts.notices.due(NOON + 99 * HOUR, 9) == []


def test_a_channel_that_is_down_is_tried_again_later_each_time_and_given_up(
    hook: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hook.status = 500
    settings = AlertSettings(channels={"hook": ChannelSettings(variable="HOOK")})
    channels = alerts.Channels(settings, tmp_path, {"HOOK": hook.url})
    notice = Notice(
        id=1, channel="hook", news="opened", alerts=(1,), title="t", body="b", made=NOON, due=NOON
    )
    waits = []
    while not notice.given_up:
        notice = alerts.send(notice, channels, now=NOON)
        waits.append((notice.due - NOON).total_seconds())
        assert notice.delivered is None
    assert waits[:4] == [15, 30, 60, 120]
    assert max(waits) == 3600
    assert notice.tries == 12
    assert "did not take it" in notice.problem
    said = repr(notice) + "".join(capfd.readouterr())
    assert "s3cret" not in said, "an address is told to nobody"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "holds no address"),
        ("nonsense://s3cret", "no address that Apprise knows"),
        (None, "cannot be read"),
    ],
)
def test_an_address_that_is_none_is_said_without_it(address: str | None, why: str, tmp_path: Path) -> None:
    if address is not None:
        (tmp_path / "address").write_text(address)
    channels = alerts.Channels(
        AlertSettings(channels={"hook": ChannelSettings(file="address")}), tmp_path, {}
    )
    found = alerts.tried_out("hook", channels, project="clinic", now=NOON)
    assert why in found.problem
    assert "s3cret" not in found.problem


def test_two_who_deliver_send_a_notice_once(yard: Yard) -> None:
    see(yard, window(1, finding("age")))
    with yard.read() as facts:
        [notice] = facts.notices.due(NOON + HOUR, 9)
    assert [do(yard, lambda f: alerts.put_off(f, notice, now=NOON + HOUR), bool) for _ in range(2)] == [
        True,
        False,
    ]
