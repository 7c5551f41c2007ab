"""Lineage through the command line: from a prediction to the file it rests on, and told to others as it happens."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

Command = Callable[..., tuple[int, str, str]]
STRICT = """
import importlib, json, pkgutil, sys, typing
import attr
import openlineage.client.generated as generated
from openlineage.client.event_v2 import RunEvent, Run, Job, InputDataset, OutputDataset
facets = {}
for module in pkgutil.iter_modules(generated.__path__):
    for kind in vars(importlib.import_module(f"openlineage.client.generated.{module.name}")).values():
        if isinstance(kind, type) and hasattr(kind, "_get_schema") and attr.has(kind):
            facets[kind._get_schema()] = kind
def made(kind, value):
    if typing.get_origin(kind) in (typing.Union, type(int | None)):
        return made(next(k for k in typing.get_args(kind) if k is not type(None)), value)
    if typing.get_origin(kind) is list:
        return [made(typing.get_args(kind)[0], v) for v in value]
    if typing.get_origin(kind) is dict:
        return {k: made(typing.get_args(kind)[1], v) for k, v in value.items()}
    if isinstance(kind, type) and attr.has(kind):
        hints = typing.get_type_hints(kind, {**vars(typing), **vars(sys.modules[kind.__module__])})
        return kind(**{k: made(hints[k], v) for k, v in value.items()})
    if isinstance(kind, type) and kind is float:
        kind = (int, float)
    if isinstance(kind, type | tuple) and not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind}")
    return value
def told(fields):
    return {name: made(facets[f.pop("_schemaURL")], {k: v for k, v in f.items() if k != "_producer"}) for name, f in fields.items()}
for line in open(sys.argv[1]):
    event = json.loads(line)
    assert facets[event.pop("schemaURL")] is RunEvent
    for key, kind in (("inputs", InputDataset), ("outputs", OutputDataset)):
        event[key] = [kind(**{k: told(v) if isinstance(v, dict) else v for k, v in d.items()}) for d in event[key]]
    event["run"] = Run(runId=event["run"]["runId"], facets=told(event["run"]["facets"]))
    event["job"] = Job(**{k: told(v) if isinstance(v, dict) else v for k, v in event["job"].items()})
    RunEvent(**event)
"""


def done(modelyard: Command, project: Path, *words: str | Path) -> str:
    code, output, complaint = modelyard("-C", project, *words)
    assert code == 0, complaint
    return output


def telling(project: Path, to: str) -> Path:
    path = project / "modelyard.toml"
    path.write_text(f'{path.read_text()}\n[lineage]\nopenlineage = "{to}"\n')
    return project / to


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_from_a_predictions_model_id_to_the_file_and_back(
    modelyard: Command, built: Path, tmp_path: Path
) -> None:
    done(modelyard, built, "deploy", "test")
    found = json.loads(done(modelyard, built, "lineage", "screening/test/1", "--json"))
    assert found["version"]["number"] == 1
    assert found["run"]["dataset"] == "patients@1" == f"{found['data']['dataset']}@{found['data']['number']}"
    [source] = found["data"]["sources"]
    assert source["path"] == "data/patients.csv"
    assert {"report.json", "sbom.cdx.json", "card.md", "provenance.json", "run.json"} < set(found["attested"])
    assert [r["environment"] for r in found["releases"]] == ["test"]
    done(modelyard, built, "monitor", "test", "screening")
    text = done(modelyard, built, "lineage", "screening@1")
    for told in (
        "patients@1",
        source["sha256"],
        found["run"]["code"]["digest"],
        "card.md",
        "test: live",
        "0 predictions",
    ):
        assert told in text
    for ref in ("screening@1", "patients@1"):
        drawing = tmp_path / "l.svg"
        done(modelyard, built, "lineage", ref, "--svg", drawing)
        words = "".join(ElementTree.fromstring(drawing.read_text()).itertext())
        for told in ("data/patients.csv", "patients@1", "screening@1", "test", found["run"]["id"]):
            assert told in words
    for wrong in ("screening/test/9", "screening/nowhere/1", "nobody/test/1", "screening/test/x"):
        assert modelyard("-C", built, "lineage", wrong)[0] == 2


def test_verbs_are_told_as_they_begin_and_end(modelyard: Command, built: Path) -> None:
    path = telling(built, "events.jsonl")
    (built / "data" / "patients.csv").write_text(
        "\n".join((built / "data" / "patients.csv").read_text().splitlines()[:-20]) + "\n"
    )
    for words in (
        ["ingest"],
        ["train", "screening"],
        ["evaluate", "screening@run"],
        ["deploy", "test", "screening@1"],
    ):
        done(modelyard, built, *words)
    found = events(path)
    told = [(e["job"]["name"], e["eventType"]) for e in found]
    verbs = ["ingest.patients", "train.screening", "evaluate.screening", "deploy.test.screening"]
    assert told == [(verb, moment) for verb in verbs for moment in ("START", "COMPLETE")]
    ids = [e["run"]["runId"] for e in found]
    assert ids[::2] == ids[1::2]
    assert len(set(ids)) == 4
    ingested, trained, tested, deployed = found[1::2]
    assert ingested["inputs"][0]["name"].endswith("data/patients.csv")
    assert ingested["outputs"][0]["facets"]["version"]["datasetVersion"] == "2"
    assert trained["inputs"][0]["name"] == ingested["outputs"][0]["name"] == "data/patients"
    package = trained["outputs"][0]["facets"]["version"]["datasetVersion"]
    assert {i["name"] for i in tested["inputs"]} == {"data/patients", "models/screening"}
    assert package in str(tested["inputs"])
    assert [o["name"] for o in deployed["outputs"]] == ["services/test/screening"]
    assert found[2]["outputs"] == []
    assert found[2]["inputs"] == trained["inputs"]

    (built / "models/screening/model.py").write_text("def train(data, params):\n    raise ValueError('no')\n")
    assert modelyard("-C", built, "train", "screening")[0] == 1
    failed = events(path)[-1]
    assert failed["eventType"] == "FAIL"
    assert "no" in failed["run"]["facets"]["errorMessage"]["message"]
    assert json.loads(done(modelyard, built, "doctor", "--json")) == []


@pytest.mark.peer
def test_the_reference_client_reads_them(
    modelyard: Command, built: Path, peer: Callable[[str], Path]
) -> None:
    path = telling(built, "events.jsonl")
    schema = built / "data" / "patients.schema.toml"
    schema.write_text(
        '[columns.mean_radius]\nminimum = 0\nmaximum = 100\ndescription = "in mm"\n' + schema.read_text()
    )
    for words in (["ingest"], ["train", "screening"], ["evaluate", "screening@run"]):
        done(modelyard, built, *words)
    assert len(events(path)) == 6
    command = [str(peer("attestations")), "-c", STRICT, str(path)]
    read = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert read.returncode == 0, read.stderr
    for was, becomes in (
        ("rowCount", "rows"),
        ('"eventTime":"', '"eventTime":"at '),
        ('"assertion":', '"test":'),
    ):
        path.write_text(path.read_text().replace(was, becomes))
        assert subprocess.run(command, capture_output=True, timeout=200).returncode != 0, was


def test_a_dead_endpoint_fails_nothing_and_is_told_of(
    modelyard: Command, built: Path, free_port: int
) -> None:
    telling(built, f"http://127.0.0.1:{free_port}/api/v1/lineage")
    assert done(modelyard, built, "ingest")
    kept = built / ".modelyard" / "lineage" / "waiting.jsonl"
    assert [e["eventType"] for e in events(kept)] == ["START", "COMPLETE"]
    code, output, _ = modelyard("-C", built, "doctor", "--json")
    [problem] = json.loads(output)
    assert code == 1
    assert re.match(r"2 lineage events could not be delivered", problem["sentence"])
    settings = built / "modelyard.toml"
    settings.write_text(
        settings.read_text().replace(f"http://127.0.0.1:{free_port}/api/v1/lineage", "events.jsonl")
    )
    done(modelyard, built, "ingest")
    assert [e["eventType"] for e in events(built / "events.jsonl")] == ["START", "COMPLETE"] * 2
    assert json.loads(done(modelyard, built, "doctor", "--json")) == []
