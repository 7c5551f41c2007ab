"""Bad input through the command line: one clear sentence, the right exit code, nothing lost."""

from __future__ import annotations

import hashlib
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.storage.database import open_yard

Command = Callable[..., tuple[int, str, str]]
TABLE = "data/patients.csv"
CODE = "models/screening/model.py"


def refused(modelyard: Command, project: Path, *words: str, code: int, says: list[str]) -> None:
    """The command ends with ``code`` and one sentence that has each of ``says``; the yard stays whole."""
    got, _, complaint = modelyard("-C", project, *words)
    assert got == code, complaint
    for part in says:
        assert part in complaint
    assert "Traceback" not in complaint
    assert complaint.count("modelyard: ") == 1
    assert modelyard("-C", project, "doctor")[0] == 0


def edit(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text()))


def test_missing_table(modelyard: Command, built: Path) -> None:
    (built / TABLE).unlink()
    refused(modelyard, built, "build", code=2, says=["patients.csv"])


def test_empty_table(modelyard: Command, built: Path) -> None:
    (built / TABLE).write_text("")
    refused(modelyard, built, "build", code=1, says=["patients.csv", "empty"])


def test_ragged_row(modelyard: Command, built: Path) -> None:
    edit(built / TABLE, lambda text: text.replace("\n", ",1,2,3\n", 5).replace(",1,2,3\n", "\n", 4))
    refused(modelyard, built, "ingest", code=1, says=["patients.csv"])


def test_column_that_changes_type(modelyard: Command, built: Path) -> None:
    lines = (built / TABLE).read_text().splitlines()
    cells = lines[7].split(",")
    cells[2] = "unknown"
    lines[7] = ",".join(cells)
    (built / TABLE).write_text("\n".join(lines) + "\n")
    name = lines[0].split(",")[2]
    refused(modelyard, built, "ingest", code=1, says=["patients.csv", name])


def test_target_that_is_not_there(modelyard: Command, built: Path) -> None:
    edit(built / "modelyard.toml", lambda text: text.replace('"diagnosis"', '"diagnos"'))
    refused(modelyard, built, "build", code=2, says=["diagnos", "diagnosis"])


def test_target_with_one_class(modelyard: Command, built: Path) -> None:
    edit(built / TABLE, lambda text: text.replace("malignant", "benign"))
    refused(modelyard, built, "build", code=1, says=["diagnosis", "benign"])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("raise RuntimeError('no licence')", ["RuntimeError", "no licence", "model.py"]),
        ("return None", ["returned nothing", "model.py"]),
    ],
)
def test_training_that_goes_wrong(modelyard: Command, built: Path, body: str, says: list[str]) -> None:
    (built / CODE).write_text(f"def train(data, params):\n    {body}\n")
    refused(modelyard, built, "build", code=1, says=says)
    code, output, _ = modelyard("-C", built, "runs")
    assert code == 0
    assert "failed" in output


def test_code_that_cannot_be_imported(modelyard: Command, built: Path) -> None:
    (built / CODE).write_text("import nothing_of_this_name\n")
    refused(modelyard, built, "build", code=1, says=["nothing_of_this_name", "model.py"])


def test_gate_that_fails(modelyard: Command, built: Path) -> None:
    edit(built / "modelyard.toml", lambda text: text.replace("min = 0.95", "min = 0.9999"))
    refused(modelyard, built, "build", code=1, says=["roc_auc", "0.9999"])
    assert modelyard("-C", built, "versions", "--json")[1].count('"number"') == 1


def test_database_locked_by_another_program(
    modelyard: Command, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(open_yard.__kwdefaults__, "wait", 0.3)
    held = sqlite3.connect(built / ".modelyard" / "yard.db", isolation_level=None)
    held.execute("BEGIN EXCLUSIVE")
    edit(built / TABLE, lambda text: text.rsplit("\n", 2)[0] + "\n")
    code, _, complaint = modelyard("-C", built, "ingest")
    held.execute("ROLLBACK")
    held.close()
    assert code == 3, complaint
    assert "yard.db" in complaint
    assert modelyard("-C", built, "ingest")[0] == 0
    assert modelyard("-C", built, "doctor")[0] == 0


def test_port_in_use(modelyard: Command, built: Path) -> None:
    settings = (built / "modelyard.toml").read_text()
    port = int(settings.split("[environments.test]")[1].split("port = ")[1].split()[0])
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        refused(modelyard, built, "deploy", "test", code=3, says=[str(port), "environments.test.port"])
    assert modelyard("-C", built, "deploy", "test")[0] == 0


def test_package_whose_bytes_were_changed(modelyard: Command, built: Path) -> None:
    model = next((built / ".modelyard" / "packages").glob("*/model/model.onnx"))
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    victim = next((built / ".modelyard" / "artifacts").rglob(digest[2:]))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.chmod(0o644)
    victim.write_bytes(content)
    (built / ".modelyard" / "packages").rename(built / ".modelyard" / "aside")
    code, output, _ = modelyard("-C", built, "doctor")
    assert code == 1
    assert digest[:12] in output
    code, _, complaint = modelyard("-C", built, "deploy", "test")
    assert code == 1, complaint
    assert "was changed" in complaint


def test_promotion_without_reviews(modelyard: Command, built: Path) -> None:
    assert modelyard("-C", built, "promote", "screening@1", "--to", "staging")[0] == 0
    refused(
        modelyard,
        built,
        *("promote", "screening@1", "--to", "prod"),
        code=1,
        says=["sme", "modelyard review screening@1 --for sme"],
    )


def test_promotion_out_of_order(modelyard: Command, built: Path) -> None:
    refused(modelyard, built, "promote", "screening@1", "--to", "prod", code=1, says=["staging"])
