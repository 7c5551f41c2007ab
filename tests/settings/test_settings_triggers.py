"""``[triggers.MODEL]`` and its schedule."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import SettingsError
from modelyard.settings import cron, read

HELSINKI = "Europe/Helsinki"
HEAD = """
[project]
name = "p"
[data.d]
source = "d.csv"
target = "y"
[models.m]
code = "m"
data = "d"
[environments.test]
port = 8101
[environments.prod]
port = 8102
"""


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def settings(folder: Path, text: str) -> object:
    (folder / "modelyard.toml").write_text(HEAD + text)
    return read(folder, {}).triggers["m"]


def test_all_of_it_is_read(tmp_path: Path) -> None:
    text = """
    [triggers.m]
    schedule = "0 3 * * 1"
    timezone = "Europe/Helsinki"
    on = ["new_data", "drift"]
    environment = "test"
    promote = "review"
    policy = { drift = "retrain", cool_down = "12h", most_a_week = 2 }
    champion = { margin = 0.01 }
    canary = { steps = [0.05, 0.5], hours = 2 }
    """
    assert settings(tmp_path, text).policy.drift == "retrain"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[triggers.n]\non = ["code"]', "there is no [models.n]"),
        ('[triggers.m]\ndeploy_to = "moon"', "no [environments.moon]"),
        ('[triggers.m]\nenvironment = "moon"', "no [environments.moon]"),
        ('[triggers.m]\nschedule = "0 3 * *"', "five fields"),
        ('[triggers.m]\nschedule = "0 25 * * *"', "bad hour"),
        ('[triggers.m]\nschedule = "0 0 30 2 *"', "no schedule"),
        ('[triggers.m]\nschedule = "0 3 * * *"\ntimezone = "Europe/Nowhere"', "no time zone"),
        ('[triggers.m]\nschedule = "0 3 * * *"\ntimezone = "../../etc/passwd"', "no time zone"),
        ('[triggers.m]\non = ["weather"]', "known here: new_data, code"),
        ('[triggers.m]\non = ["code", "code"]', "twice"),
        ("[triggers.m.canary]\nsteps = [0.5, 0.1]", "must rise"),
        ("[triggers.m.canary]\nsteps = [0.5, 1.5]", "steps"),
        ('[triggers.m.policy]\ncool_down = "soon"', "cool_down"),
        ('[triggers.m.policy]\ncooldown = "1d"', "did you mean 'cool_down'"),
        ('[triggers.m.pipeline]\nforge = "svn"\nproject = "a/b"\ntoken_env = "T"', "gitlab"),
        ('[triggers.m.pipeline]\nforge = "gitlab"\nproject = "a/b"', "token_env"),
        ('[triggers.m.pipeline]\nforge = "gitlab"\nproject = "a/b"\ntoken_env = "glpat-x"', "token_env"),
        (
            '[triggers.m.pipeline]\nforge = "gitlab"\nproject = "a/b"\ntoken_env = "T"\nworkflow = "w"',
            "GitLab has none",
        ),
        ('[triggers.m.pipeline]\nforge = "github"\nproject = "a/b"\ntoken_env = "T"', "names what GitHub"),
        (
            '[triggers.m.pipeline]\nforge = "github"\nproject = "b"\nworkflow = "w.yml"\ntoken_env = "T"',
            "two parts",
        ),
        (
            '[triggers.m.pipeline]\nforge = "azure"\nproject = "a/b"\nworkflow = "w"\ntoken_env = "T"',
            "pipeline's number",
        ),
        ('[triggers.m.pipeline]\nforge = "gitlab"\nproject = "../b?x"\ntoken_env = "T"', "project"),
        (
            '[triggers.m.pipeline]\nforge = "gitlab"\nproject = "a/b"\ntoken_env = "T"\nurl = "http://forge.example.com"',
            "'url' is an address",
        ),
        (
            '[triggers.m.pipeline]\nforge = "gitlab"\nproject = "a/b"\ntoken_env = "T"\nurl = "https://me:secret@forge"',
            "'url' is an address",
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=r"\w") as found:
        settings(tmp_path, text)
    assert said in str(found.value)


def test_what_the_clocks_skip_is_due_right_after_the_gap() -> None:
    # 03:00 became 04:00 in Helsinki on 29 March 2026, at 01:00 UTC
    assert cron.following("30 3 * * *", HELSINKI, utc("2026-03-28T12:00")) == utc("2026-03-29T01:00")
    assert cron.last("30 3 * * *", HELSINKI, utc("2026-03-29T00:59")) == utc("2026-03-28T01:30")
    assert cron.last("30 3 * * *", HELSINKI, utc("2026-03-29T01:00")) == utc("2026-03-29T01:00")
    assert cron.following("30 3 * * *", HELSINKI, utc("2026-03-29T01:00")) == utc("2026-03-30T00:30")


def test_what_the_clocks_pass_twice_is_due_once() -> None:
    # 04:00 became 03:00 in Helsinki on 25 October 2026, at 01:00 UTC
    first = utc("2026-10-25T00:30")
    assert cron.following("30 3 * * *", HELSINKI, utc("2026-10-24T12:00")) == first
    assert cron.following("30 3 * * *", HELSINKI, first) == utc("2026-10-26T01:30")
    assert cron.last("30 3 * * *", HELSINKI, utc("2026-10-25T20:00")) == first


def test_stars_follow_real_time_through_both() -> None:
    hours = {cron.last("0 * * * *", HELSINKI, utc(f"2026-10-25T0{h}:59")) for h in range(4)}
    assert hours == {utc(f"2026-10-25T0{h}:00") for h in range(4)}


def test_rare_schedules() -> None:
    assert cron.last("0 0 1 1 *", "UTC", utc("2026-11-21T12:00")) == utc("2026-01-01T00:00")
    assert cron.last("0 0 29 2 *", "UTC", utc("2026-11-21T12:00")) is None
    assert cron.following("0 0 29 2 *", "UTC", utc("2026-11-21T12:00")) == utc("2028-02-29T00:00")


@given(
    st.sampled_from(["*/7 * * * *", "30 3 * * *", "15 2,3,4 * * 0", "0 */5 * * *", "59 23 28-31 * *"]),
    st.sampled_from(["UTC", HELSINKI, "America/New_York", "Australia/Lord_Howe"]),
    st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 1, 1)),
)
def test_the_last_and_the_following_are_neighbours(expression: str, zone: str, moment: dt.datetime) -> None:
    at = moment.replace(tzinfo=dt.UTC)
    last, following = cron.last(expression, zone, at), cron.following(expression, zone, at)
    assert last is not None
    assert following is not None
    assert last <= at < following
    assert cron.last(expression, zone, following) == following
    assert cron.following(expression, zone, last) == following
