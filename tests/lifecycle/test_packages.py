"""Packages between people: signed at training, handed out, taken elsewhere, refused where nobody trusts them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelyard.packaging import pack, unpack
from modelyard.training.lockfile import told, written

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Another person's project for the same model, with nothing in its yard."""
    folder = tmp_path / "elsewhere" / "screening"
    command = [sys.executable, "-m", "modelyard", "init", "screening", "--folder", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def shown(modelyard: Command, project: Path, *words: str | Path) -> Any:
    code, output, complaint = modelyard("-C", project, *words)
    assert code == 0, complaint
    return json.loads(output)


def signing(project: Path, text: str, environment: str = "") -> None:
    """Put lines below ``[signing]``, or below an environment."""
    path = project / "modelyard.toml"
    if environment:
        head = f"[environments.{environment}]\n"
        path.write_text(path.read_text().replace(head, f"{head}{text}\n"))
    else:
        path.write_text(f"{path.read_text()}\n[signing]\n{text}\n")


def test_training_signs_with_a_key_of_this_machine(modelyard: Command, built: Path) -> None:
    private = built / ".modelyard" / "keys" / "signing.pem"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    [key] = shown(modelyard, built, "keys", "--json")
    assert key["signs"]
    assert key["own"]
    assert key["trusted"] == ["test", "staging", "prod"]
    found = shown(modelyard, built, "versions", "show", "screening@1", "--json")
    assert found["signed"] == [{"key": key["id"], "trusted": ["test", "staging", "prod"]}]
    events = shown(modelyard, built, "audit", "--json")
    made = [event for event in events if event["action"] == "key.made"]
    assert [event["payload"]["key"] for event in made] == [key["id"]]
    for path in built.rglob("*"):  # outside of every package, artifact and log
        if path.is_file() and path != private:
            assert b"PRIVATE KEY" not in path.read_bytes(), path


def test_a_package_goes_to_another_machine_with_its_evidence(
    modelyard: Command, built: Path, elsewhere: Path, tmp_path: Path
) -> None:
    file, again = tmp_path / "s.mypkg", tmp_path / "again.mypkg"
    for path in (file, again):
        assert modelyard("-C", built, "package", "screening@1", "--out", path)[0] == 0
    assert file.read_bytes() == again.read_bytes()
    assert modelyard("-C", built, "package", "screening@1", "--out", file)[0] == 2
    key = shown(modelyard, built, "keys", "--json")[0]["id"]
    code, _, complaint = modelyard("-C", elsewhere, "import", file)
    assert code == 1
    assert f"by the key {key[:16]}, which is not trusted here" in complaint
    assert not list((elsewhere / ".modelyard" / "artifacts").glob("??/*"))

    assert modelyard("-C", built, "keys", "export", elsewhere / "keys" / "anna.pub")[0] == 0
    signing(elsewhere, 'trusted = ["keys/anna.pub"]')
    done = shown(modelyard, elsewhere, "import", file, "--json")
    assert done["keys"] == [key]
    assert done["tested"]
    before = shown(modelyard, built, "versions", "--json")
    registered = shown(modelyard, elsewhere, "register", done["ref"], "--json")
    assert registered["package"] == before[0]["package"]
    assert registered["number"] == 1
    assert (
        shown(modelyard, elsewhere, "import", file, "--json")["package"] == done["package"]
    )  # a repeat is harmless
    assert modelyard("-C", elsewhere, "package", "screening@1", "--out", tmp_path / "third.mypkg")[0] == 0
    assert (tmp_path / "third.mypkg").read_bytes() == file.read_bytes()
    assert modelyard("-C", elsewhere, "doctor")[0] == 0
    golden = next((elsewhere / ".modelyard" / "packages").glob("*/golden.json"))
    rows = json.loads(golden.read_text())
    table = "\n".join([",".join(rows["rows"][0]), *(",".join(map(str, r.values())) for r in rows["rows"])])
    (tmp_path / "rows.csv").write_text(table + "\n")
    answer = shown(modelyard, elsewhere, "predict", "screening@1", tmp_path / "rows.csv", "--json")
    assert answer["prediction"] == rows["prediction"]


def test_who_answers_for_a_package_is_on_record(
    modelyard: Command, built: Path, elsewhere: Path, tmp_path: Path
) -> None:
    assert modelyard("-C", built, "package", "screening@1", "--out", tmp_path / "s.mypkg")[0] == 0
    done = shown(
        modelyard, elsewhere, "import", tmp_path / "s.mypkg", "--trust", "Anna gave it to me", "--json"
    )
    assert done["keys"] == []
    assert not done["tested"]  # a report that nobody vouches for is none
    [key] = shown(modelyard, elsewhere, "keys", "--json")
    assert [s["key"] for s in done["package"]["signatures"]] == [key["id"]]
    event = next(
        e for e in shown(modelyard, elsewhere, "audit", "--json") if e["action"] == "package.imported"
    )
    assert event["payload"]["trusted"] == "Anna gave it to me"
    code, _, complaint = modelyard("-C", elsewhere, "register", done["ref"])
    assert code == 1
    assert "was not tested yet" in complaint
    assert modelyard("-C", elsewhere, "ingest")[0] == 0
    assert modelyard("-C", elsewhere, "evaluate", done["ref"])[0] == 0
    assert modelyard("-C", elsewhere, "register", done["ref"])[0] == 0
    assert modelyard("-C", elsewhere, "lineage", "patients@1")[1].count("run ") <= 1


def test_a_package_that_was_changed_on_the_way_leaves_nothing(
    modelyard: Command, built: Path, elsewhere: Path, tmp_path: Path
) -> None:
    file = tmp_path / "s.mypkg"
    assert modelyard("-C", built, "package", "screening@1", "--out", file)[0] == 0
    content = bytearray(file.read_bytes())
    content[content.index(b"def train") + 1] ^= 1
    file.write_bytes(content)
    code, _, complaint = modelyard("-C", elsewhere, "import", file, "--trust", "whatever it is")
    assert code == 1
    assert "code/model.py" in complaint
    assert not list((elsewhere / ".modelyard").glob("scratch/*"))
    assert shown(modelyard, elsewhere, "audit", "--json") == []


def test_an_environment_that_trusts_fewer_refuses_the_others(
    modelyard: Command, built: Path, elsewhere: Path
) -> None:
    assert modelyard("-C", elsewhere, "keys", "export", built / "keys" / "release.pub")[0] == 0
    signing(built, 'trusted = ["keys/release.pub"]', "staging")
    code, _, complaint = modelyard("-C", built, "promote", "screening@1", "--to", "staging")
    assert code == 1
    assert "which is not trusted in staging" in complaint
    # whoever has that key signs it, and it comes back
    mine = elsewhere / ".modelyard" / "keys" / "signing.pem"
    signed = {**os.environ, "MODELYARD_SIGNING__KEY": str(mine)}
    command = [sys.executable, "-m", "modelyard", "-C", str(built), "package", "screening@1", "--sign"]
    for _ in range(2):
        done = subprocess.run(command, env=signed, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].count(", ") == 2, done.stdout  # two keys
    events = [e["action"] for e in shown(modelyard, built, "audit", "--json")]
    assert events.count("package.signed") == 1
    assert modelyard("-C", built, "promote", "screening@1", "--to", "staging")[0] == 0
    assert modelyard("-C", built, "deploy", "staging")[0] == 0
    # and from the moment that the key is revoked no more
    key = shown(modelyard, elsewhere, "keys", "--json")[0]["id"]
    signing(built, f'revoked = ["{key[:16]}"]')
    assert modelyard("-C", built, "stop", "staging")[0] == 0
    code, _, complaint = modelyard("-C", built, "deploy", "staging", "screening@1")
    assert code == 1
    assert f"key {key[:16]}, which is revoked" in complaint


def test_after_a_rotation_the_new_key_signs_and_the_old_still_counts(modelyard: Command, built: Path) -> None:
    [old] = shown(modelyard, built, "keys", "--json")
    assert modelyard("-C", built, "keys", "rotate")[0] == 0
    found = {key["id"]: key for key in shown(modelyard, built, "keys", "--json")}
    assert [key["signs"] for key in found.values()] == [True, False]
    assert found[old["id"]]["trusted"] == ["test", "staging", "prod"]
    assert modelyard("-C", built, "deploy", "test")[0] == 0
    event = shown(modelyard, built, "audit", "--json")[0:]
    assert [e["payload"]["before"] for e in event if e["action"] == "key.rotated"] == [old["id"]]


def test_its_libraries_are_locked_with_hashes_where_a_lock_tells_them(
    modelyard: Command, built: Path, elsewhere: Path, tmp_path: Path
) -> None:
    """Tests ask no index (``[project] hashes``), so the first package has none, and says so."""
    before = modelyard("-C", built, "package", "screening@1")[1]
    assert "requirements: without hashes; no lock of the project has hashes of " in before
    bill = shown(modelyard, built, "versions", "show", "screening@1", "--sbom")
    names = {p["name"]: p["value"] for p in bill["metadata"]["component"]["properties"]}
    assert names["modelyard:unlocked"].startswith("no lock of the project has hashes of ")
    libraries = [c["purl"].removeprefix("pkg:pypi/").replace("@", "==") for c in bill["components"][1:]]
    hashes = {one: (hashlib.sha256(one.encode()).hexdigest(),) for one in libraries}
    (built / "requirements.lock").write_text(written(hashes))
    assert modelyard("-C", built, "evaluate", "screening@1")[0] == 0
    code, after, _ = modelyard("-C", built, "package", "screening@1", "--output", tmp_path / "out")
    assert code == 0
    assert "requirements" not in after
    assert after.split()[2] == before.split()[2].rstrip(",") + ","  # the same package
    lock = (tmp_path / "out.requirements.lock").read_bytes()
    assert told(lock.decode()) == hashes
    bill = shown(modelyard, built, "versions", "show", "screening@1", "--sbom")
    [numpy] = [c for c in bill["components"] if c["name"] == "numpy"]
    [content] = hashes[f"numpy=={numpy['version']}"]
    assert numpy["externalReferences"][0]["hashes"] == [{"alg": "SHA-256", "content": content}]
    envelope = json.loads((tmp_path / "out.provenance.json").read_bytes())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    named = {"name": "requirements", "digest": {"sha256": hashlib.sha256(lock).hexdigest()}}
    assert named in statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    # it goes along to another machine, and a lock that the provenance does not name does not
    assert modelyard("-C", built, "package", "screening@1", "--output", tmp_path / "s.mypkg")[0] == 0
    manifest, beside = unpack(tmp_path / "s.mypkg", tmp_path / "open")
    beside["requirements.lock"] = lock.replace(content.encode(), b"0" * 64)
    pack(tmp_path / "open", beside, tmp_path / "changed.mypkg")
    assert modelyard("-C", built, "keys", "export", elsewhere / "theirs.pub")[0] == 0
    signing(elsewhere, 'trusted = ["theirs.pub"]')
    for name, digest in (("changed", None), ("s", hashlib.sha256(lock).hexdigest())):
        taken = shown(modelyard, elsewhere, "import", tmp_path / f"{name}.mypkg", "--json")["package"]
        assert taken["lock"] == digest
        shutil.rmtree(elsewhere / ".modelyard")
    assert manifest.requirements == tuple(sorted(libraries))


def test_the_provenance_names_what_it_was_made_of(modelyard: Command, built: Path) -> None:
    envelope = shown(modelyard, built, "versions", "show", "screening@1", "--provenance")
    statement = json.loads(base64.b64decode(envelope["payload"]))
    package = shown(modelyard, built, "versions", "--json")[0]
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"] == [{"name": "screening", "digest": {"sha256": package["package"]}}]
    definition = statement["predicate"]["buildDefinition"]
    data = shown(modelyard, built, "data", "--json")[0]
    assert {
        "name": "patients@1",
        "uri": "modelyard:data/patients/1",
        "digest": {"sha256": data["digest"]},
    } in (definition["resolvedDependencies"])
    assert definition["externalParameters"]["seed"] == 0
    byproducts = {
        b["name"]: b["digest"]["sha256"] for b in statement["predicate"]["runDetails"]["byproducts"]
    }
    assert byproducts["report.json"] == package["report"]
    bill = shown(modelyard, built, "versions", "show", "screening@1", "--sbom")
    assert bill["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": package["package"]}]
