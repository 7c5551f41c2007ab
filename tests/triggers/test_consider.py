"""What each trigger says, and what is put on record of a look."""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path
from typing import Any

import pytest

from modelyard.project import Project, open_project
from modelyard.records.event import Wanted
from modelyard.records.finding import Finding, FindingKind, WindowReport
from modelyard.records.trigger import Decision
from modelyard.settings import PolicySettings, TriggerSettings
from modelyard.triggers import consider
from modelyard.triggers.findings import judged

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def project(folder: Path, text: str = "") -> Project:
    settings = folder / "modelyard.toml"
    settings.write_text(settings.read_text().partition("[triggers")[0] + f"[triggers.screening]\n{text}\n")
    return open_project(folder, actor="ann")


def recorded(here: Project) -> list[str]:
    with here.yard.read() as facts:
        found = facts.events.list(wanted=Wanted(action="trigger.decided"))
    return [str(event.payload["why"]) for event in found]


def test_a_schedule_is_due_once_and_made_up_for_once(built: Path) -> None:
    here = project(built, 'schedule = "*/10 * * * *"')
    assert consider(here, "screening", moment=NOW).why == "nothing", "what was due before anybody looked"
    late = consider(here, "screening", moment=NOW + 45 * MINUTE, dry=True)
    assert late.verdict == "yes"
    assert "due at 2026-11-21 12:40 UTC" in late.reason
    again = consider(here, "screening", moment=NOW + 46 * MINUTE)
    assert again.operation == late.operation, "the same occasion, whoever looks"
    assert consider(here, "screening", moment=NOW + 47 * MINUTE).why == "nothing"
    assert consider(here, "screening", moment=NOW + 50 * MINUTE).verdict == "yes"
    assert recorded(here) == ["nothing", "build", "nothing", "build"]


def test_a_sparing_look_repeats_nothing_within_an_hour(built: Path) -> None:
    here = project(built)
    for minutes in (0, 1, 2, 59, 61, 62):
        assert consider(here, "screening", moment=NOW + minutes * MINUTE, sparing=True).why == "nothing"
    assert recorded(here) == ["nothing", "nothing"]
    consider(here, "screening", moment=NOW + 63 * MINUTE)
    assert len(recorded(here)) == 3


def test_rows_that_sources_bring(built: Path) -> None:
    here = project(built, 'on = ["new_data"]')
    assert consider(here, "screening", moment=NOW).why == "nothing"
    table = built / "data" / "patients.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-20]))
    found = consider(here, "screening", moment=NOW)
    assert (found.verdict, found.fired[0].kind) == ("yes", "new_data")
    assert found.state.fresh_rows is None
    table.unlink()
    gone = consider(here, "screening", moment=NOW)
    assert gone.why == "nothing"
    assert "patients.csv" in gone.notes[0]


def test_code_counts_once_it_is_committed(built: Path) -> None:
    def git(*words: str) -> None:
        given = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(built), *given, *words], check=True, capture_output=True)

    here = project(built, 'on = ["code"]')
    model = built / "models" / "screening" / "model.py"
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    assert consider(here, "screening", moment=NOW).why == "nothing"
    model.write_text(model.read_text() + "\n# another\n")
    assert consider(here, "screening", moment=NOW).why == "nothing"
    git("commit", "-qam", "second")
    found = consider(here, "screening", moment=NOW)
    assert found.verdict == "yes"
    assert "is commit" in found.reason


def test_without_git_any_change_of_code_counts(built: Path) -> None:
    here = project(built, 'on = ["code"]')
    model = built / "models" / "screening" / "model.py"
    model.write_text(model.read_text() + "\n# another\n")
    assert consider(here, "screening", moment=NOW).verdict == "yes"


def test_a_hand_is_always_another_occasion(built: Path) -> None:
    here = project(built)
    one, two = (consider(here, "screening", moment=NOW, by_hand=True) for _ in range(2))
    assert one.verdict == two.verdict == "yes"
    assert one.operation != two.operation
    assert one.reason == "ann asked for it."


def test_a_decision_stands_in_the_trail_whole(built: Path) -> None:
    import msgspec

    here = project(built)
    found = consider(here, "screening", moment=NOW)
    with here.yard.read() as facts:
        [event] = facts.events.list(wanted=Wanted(action="trigger.decided"))
    assert msgspec.json.decode(str(event.payload["record"]), type=Decision) == found


def finding(kind: FindingKind, value: float = 0.0, *, alert: bool = True, column: str = "a") -> Finding:
    given: dict[str, Any] = {"reference_rows": 500, "window_rows": 300, "p_value": 0.001, "p_corrected": 0.01}
    return Finding(
        kind=kind,
        column=column,
        statistic="psi",
        value=value,
        effect=value,
        effect_name="psi",
        alert=alert,
        sentence=f"{column} has {kind}",
        **given,
    )


def fired(
    *findings: Finding, on: tuple[str, ...] = ("drift", "live_quality"), share: float = 0.2
) -> list[str]:
    report = WindowReport(
        environment="prod",
        model="m",
        version=3,
        start=NOW - 60 * MINUTE,
        end=NOW,
        rows=300,
        alpha=0.05,
        correction="holm",
        findings=findings,
    )
    settings = TriggerSettings(on=on, policy=PolicySettings(broken_from=share))  # type: ignore[arg-type]
    return [one.kind for one in judged(report, settings)]


def test_only_alerts_of_families_that_are_asked_for_speak() -> None:
    assert fired(finding("drift", 0.3)) == ["drift"]
    assert fired(finding("drift", 0.3, alert=False)) == []
    assert fired(finding("drift", 0.3), on=()) == []
    assert fired(finding("latency"), finding("staleness")) == []
    assert fired(finding("live_quality"), finding("prediction_drift")) == ["live_quality", "drift"]


@pytest.mark.parametrize("kind", ["missing", "schema", "duplicates", "freshness", "volume"])
def test_broken_data_speaks_though_nothing_asks_for_it(kind: FindingKind) -> None:
    assert fired(finding(kind, 0.01), on=()) == ["data_quality"]


@pytest.mark.parametrize("kind", ["out_of_range", "new_categories"])
def test_a_little_out_of_range_comes_with_drift_and_much_is_broken(kind: FindingKind) -> None:
    assert fired(finding(kind, 0.1), finding("drift", 0.3)) == ["drift"]
    assert fired(finding(kind, 0.2), finding("drift", 0.3)) == ["data_quality", "drift"]
