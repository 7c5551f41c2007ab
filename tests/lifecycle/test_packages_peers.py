"""What others make of our packages, each in an environment of its own: the OpenSSF signer, CycloneDX's validator."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.predictor import signature_path, vouched
from modelyard.records.trust import Trust

pytestmark = pytest.mark.peer

Command = Callable[..., tuple[int, str, str]]

VALIDATE = """
import sys
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
sys.exit(str(problem) if problem else 0)
"""


@pytest.fixture(scope="module")
def python(peer: Callable[[str], Path]) -> Path:
    return peer("attestations")


@pytest.fixture
def handed_out(modelyard: Command, built: Path, tmp_path: Path) -> Path:
    """The package in a folder, with its attestations and ``key.pub`` beside it."""
    output = tmp_path / "out" / "screening-1"
    assert modelyard("-C", built, "package", "screening@1", "--output", output)[0] == 0
    assert modelyard("-C", built, "keys", "export", output.with_name("key.pub"))[0] == 0
    return output


def model_signing(python: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(python.parent / "model_signing"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


def test_the_openssf_signer_accepts_ours_and_refuses_what_was_changed(python: Path, handed_out: Path) -> None:
    [signature] = handed_out.parent.glob("*.sig")
    given = ("--signature", signature, "--public_key", handed_out.with_name("key.pub"))
    done = model_signing(python, "verify", "key", handed_out, *given)
    assert done.returncode == 0, done.stderr
    for change in ("code/model.py", "model/model.onnx", "manifest.json", "added.py"):
        copy = handed_out.parent / "copy"
        shutil.copytree(handed_out, copy)
        with (copy / change).open("ab") as file:
            file.write(b" ")
        refused = model_signing(python, "verify", "key", copy, *given)
        assert refused.returncode != 0, change
        assert change in refused.stderr + refused.stdout
        shutil.rmtree(copy)


def test_a_signature_of_the_openssf_signer_verifies_here(python: Path, handed_out: Path, built: Path) -> None:
    private = built / ".modelyard" / "keys" / "signing.pem"
    for path in handed_out.parent.glob("*.sig"):
        path.unlink()
    theirs = signature_path(handed_out, "0" * 64)
    done = model_signing(python, "sign", "key", handed_out, "--signature", theirs, "--private_key", private)
    assert done.returncode == 0, done.stderr
    pem = handed_out.with_name("key.pub").read_text()
    assert vouched(handed_out, trust=Trust(keys=(pem,))).pem == pem


def test_the_bill_of_materials_is_valid_and_has_a_model_card(
    modelyard: Command, built: Path, python: Path, handed_out: Path
) -> None:
    needed = json.loads((handed_out / "manifest.json").read_text())["requirements"]
    (built / "requirements.lock").write_text("".join(f"{one} --hash=sha256:{'a' * 64}\n" for one in needed))
    assert modelyard("-C", built, "evaluate", "screening@1")[0] == 0
    handed_out = handed_out.parent / "again" / "screening-1"
    assert modelyard("-C", built, "package", "screening@1", "--output", handed_out)[0] == 0
    path = handed_out.with_name("screening-1.sbom.cdx.json")
    done = subprocess.run(
        [str(python), "-c", VALIDATE, str(path)], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    bill = json.loads(path.read_text())
    model = bill["metadata"]["component"]
    assert model["type"] == "machine-learning-model"
    report = json.loads(handed_out.with_name("screening-1.report.json").read_text())
    told = {m["type"]: m["value"] for m in model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]}
    assert float(told["roc_auc"]) == pytest.approx(
        next(m["value"] for m in report["metrics"] if m["name"] == "roc_auc"), rel=1e-5
    )
    kinds = {component["type"] for component in bill["components"]}
    assert kinds == {"data", "library"}
    assert sum("externalReferences" in c for c in bill["components"] if c["type"] == "library") == len(needed)
    assert any(c.get("purl", "").startswith("pkg:pypi/scikit-learn@") for c in bill["components"])
    # the validator is no rubber stamp
    del model["name"]
    path.write_text(json.dumps(bill))
    done = subprocess.run(
        [str(python), "-c", VALIDATE, str(path)], capture_output=True, text=True, timeout=200
    )
    assert done.returncode != 0
