"""What nothing needs goes, after its time of grace; everything else stays."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.actions.gc import gc
from modelyard.actions.stored import dataset_version, rows
from modelyard.errors import StoreDown
from modelyard.project import open_project

Command = Callable[..., tuple[int, str, str]]


def collected(modelyard: Command, folder: Path, *words: str) -> dict:
    code, output, complaint = modelyard("-C", folder, "gc", *words, "--json")
    assert code == 0, complaint
    return json.loads(output)


def changed(folder: Path) -> None:
    """One value less in the source."""
    source = folder / "data" / "patients.csv"
    lines = source.read_text().splitlines()
    source.write_text("\n".join(lines[:-1]) + "\n")


def parts(folder: Path) -> set[str]:
    return {p.name for p in (folder / ".modelyard/artifacts/tables/patients").glob("*.parquet")}


def test_a_built_project_holds_no_waste(modelyard: Command, built: Path) -> None:
    assert collected(modelyard, built, "--grace", "0s", "--unused")["removed"] == []
    assert modelyard("-C", built, "gc")[1] == "nothing to free\n"


def test_waste_is_condemned_then_removed_and_nothing_else(modelyard: Command, built: Path) -> None:
    project = open_project(built)
    before = set(project.artifacts.digests())
    waste = project.artifacts.put(b"left by a training that was killed")
    orphan = built / ".modelyard/artifacts/tables/patients" / f"{'0' * 16}-{'1' * 64}.parquet"
    orphan.write_bytes(b"left by an ingest that was killed")
    del project

    plan = collected(modelyard, built, "--dry-run", "--grace", "0s")
    assert {w["name"] for w in plan["removed"]} == {waste, f"patients/{orphan.name}"}
    assert orphan.exists()

    first = collected(modelyard, built)
    assert first["removed"] == []
    assert len(first["waiting"]) == 2
    again = collected(modelyard, built)
    assert [w["condemned"] for w in again["waiting"]] == [w["condemned"] for w in first["waiting"]]

    listed = built / ".modelyard" / "condemned.json"
    since = {name: str(dt.datetime(2020, 1, 1, tzinfo=dt.UTC)) for name in json.loads(listed.read_bytes())}
    listed.write_text(json.dumps(since))
    done = collected(modelyard, built)
    assert {w["name"] for w in done["removed"]} == {waste, f"patients/{orphan.name}"}
    assert sum(w["size"] for w in done["removed"]) == 67
    assert not orphan.exists()
    assert set(open_project(built).artifacts.digests()) == before

    assert json.loads(modelyard("-C", built, "doctor", "--json")[1]) == []
    assert json.loads(modelyard("-C", built, "audit", "--json")[1])[-1]["action"] == "yard.collected"
    assert modelyard("-C", built, "audit", "verify")[0] == 0
    shutil.rmtree(built / ".modelyard" / "packages", ignore_errors=True)
    assert modelyard("-C", built, "evaluate", "screening@1")[0] == 0


def test_what_is_needed_again_is_acquitted(modelyard: Command, built: Path) -> None:
    version = json.loads(modelyard("-C", built, "data", "--json")[1])[0]
    listed = built / ".modelyard" / "condemned.json"
    listed.write_text(json.dumps({f"artifact {version['profile']}": "2020-01-01T00:00:00Z"}))
    assert collected(modelyard, built, "--grace", "0s")["removed"] == []
    assert json.loads(listed.read_bytes()) == {}


def test_only_versions_that_nothing_stands_on_lose_their_rows(modelyard: Command, built: Path) -> None:
    changed(built)
    assert modelyard("-C", built, "ingest")[0] == 0
    changed(built)
    assert modelyard("-C", built, "ingest")[0] == 0
    held = parts(built)
    assert len(held) == 3
    assert collected(modelyard, built, "--grace", "0s")["removed"] == []

    done = collected(modelyard, built, "--grace", "0s", "--unused")
    assert done["datasets"] == ["patients@2"]
    assert len(parts(built)) == 2
    # 1 was trained on and registered, 3 is the latest
    project = open_project(built)
    for number in (1, 3):
        assert rows(project, dataset_version(project, f"patients@{number}")).collect().height > 500
    code, _, complaint = modelyard("-C", built, "data", "checkout", "patients@2", built / "two.csv")
    assert (code, "The rows of patients@2 were removed by 'modelyard gc --unused'" in complaint) == (2, True)
    assert modelyard("-C", built, "data", "show", "patients@2", "--profile")[0] == 0
    assert json.loads(modelyard("-C", built, "doctor", "--json")[1]) == []


def test_rows_that_went_come_back_when_they_are_ingested_again(modelyard: Command, built: Path) -> None:
    source = built / "data" / "patients.csv"
    changed(built)
    second = source.read_text()
    modelyard("-C", built, "ingest")
    changed(built)
    modelyard("-C", built, "ingest")
    collected(modelyard, built, "--grace", "0s", "--unused")
    source.write_text(second)
    code, output, complaint = modelyard("-C", built, "ingest")
    assert code == 0, complaint
    assert "patients@4" in output
    assert modelyard("-C", built, "data", "checkout", "patients@4", built / "four.parquet")[0] == 0


def test_nothing_is_removed_while_another_command_works(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    program = (
        "import sys; from pathlib import Path; from modelyard.project import open_project;"
        "p = open_project(Path(sys.argv[1])); p.artifacts; print('at work', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, built], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "at work\n"
        with pytest.raises(StoreDown, match="at work"):
            gc(open_project(built), grace=dt.timedelta(0))
        other.communicate("")
    assert gc(open_project(built), grace=dt.timedelta(0)).removed == ()


@pytest.mark.parametrize("span", ["soon", "-1h", "1", "1w", ""])
def test_a_span_is_a_span(modelyard: Command, built: Path, span: str) -> None:
    code, _, complaint = modelyard("-C", built, "gc", "--grace", span)
    assert code == 2
    assert "24h" in complaint


def test_it_follows_a_training_in_the_same_process(modelyard: Command, built: Path) -> None:
    code, _, complaint = modelyard("-C", built, "train", "screening")
    assert code == 0, complaint
    assert collected(modelyard, built)["removed"] == []


def test_what_can_be_made_anew_goes_when_nobody_used_it_for_a_month(modelyard: Command, built: Path) -> None:
    home = built / ".modelyard"
    made = {name: home / "envs" / name for name in ("used", "idle", "unfinished")}
    for name, place in made.items():
        (place / "bin").mkdir(parents=True)
        (place / "bin/python").write_text(name)
    (made["used"] / "ready").touch()
    (made["idle"] / "ready").touch()
    studies = {name: home / "studies/screening" / f"{name}.jsonl" for name in ("fresh", "left")}
    for file in studies.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}\n")
    long_ago = dt.datetime.now(dt.UTC).timestamp() - 31 * 86400
    for path in (made["idle"] / "ready", made["unfinished"], studies["left"]):
        os.utime(path, (long_ago, long_ago))
    plan = collected(modelyard, built, "--dry-run")
    assert {(w["kind"], Path(w["name"]).name) for w in plan["removed"]} == {
        ("environment", "idle"),
        ("environment", "unfinished"),
        ("study", "left.jsonl"),
    }
    assert made["idle"].exists()
    assert collected(modelyard, built)["removed"] == plan["removed"]
    assert [name for name, place in made.items() if place.exists()] == ["used"]
    assert [name for name, file in studies.items() if file.exists()] == ["fresh"]
    assert collected(modelyard, built)["removed"] == []


def logged(folder: Path, hours: list[float]) -> None:
    """One collected file of predictions made so many hours after the year began."""
    from types import SimpleNamespace
    from typing import Any

    import numpy as np

    from modelyard.monitoring import collect
    from modelyard.predictions import Writer
    from modelyard.testing.prediction_sink import manifest, served

    project = open_project(folder)
    writer = Writer(project.log_folder("prod"), 0)
    key = writer.begin(served("screening"), manifest("screening"))
    batch: Any = SimpleNamespace(numbers=np.ones((1, 1)), texts=np.full((1, 1), "red", dtype=object))
    answers: Any = SimpleNamespace(
        prediction=np.array(["no"], dtype=object), probability=np.array([[0.75, 0.25]]), quantiles=None
    )
    for hour in hours:
        at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp() + 3600 * hour
        writer.write(key, batch, answers, ids=[b"%f" % hour], at=at, latency=0.1)
    writer.close()
    collect(project.log_folder("prod"), project.tables, environment="prod")
    project.close()


def test_small_files_of_the_log_are_put_together(built: Path, modelyard: Command) -> None:
    for n in range(5):
        logged(built, [0.1 * n, 2 + 0.1 * n])
    tables = built / ".modelyard/artifacts/tables"
    files = set(tables.glob("predictions/prod/screening/*/*.parquet"))
    assert len(files) == 5
    assert collected(modelyard, built, "--dry-run")["compacted"] == 0
    first = collected(modelyard, built)
    assert first["compacted"] == 3
    assert {tables / waste["name"] for waste in first["waiting"] if waste["kind"] == "log"} == files
    actions = [event["action"] for event in json.loads(modelyard("-C", built, "audit", "--json")[1])]
    assert actions[-1] == "predictions.compacted"
    again = collected(modelyard, built, "--grace", "0s")
    assert again["compacted"] == 0
    assert {tables / waste["name"] for waste in again["removed"] if waste["kind"] == "log"} == files
    left = set(tables.glob("predictions/prod/screening/*/*.parquet"))
    assert len(left) == 2
    assert not left & files
    event = json.loads(modelyard("-C", built, "audit", "--json")[1])[-1]
    assert (event["action"], event["payload"]["files"]) == ("yard.collected", 5)
    assert modelyard("-C", built, "doctor")[0] == 0
