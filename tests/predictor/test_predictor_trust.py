"""Code of a package runs only when a trusted key signed the package."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from modelyard.errors import Tampered, Untrusted
from modelyard.predictor import open_own, open_package, signature_path
from modelyard.records.package import Layout, Manifest, PackagedFile
from modelyard.records.schema import Column, Schema
from modelyard.records.trust import Trust
from modelyard.signing import Signer, sign_files, signer
from modelyard.tables.batch import Batch

CODE = """
from pathlib import Path

Path({mark!r}).write_text("ran")


def save(model, folder):
    (folder / "limit").write_text(str(model))


def load(folder):
    return float((folder / "limit").read_text())


def predict(model, rows):
    return rows["a"].to_numpy() + model
"""
ROWS = Batch(np.array([[1.0], [2.0]]), np.empty((2, 0), dtype=object))


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that the package's code writes when it runs."""
    return tmp_path / "mark"


@pytest.fixture
def package(tmp_path: Path, mark: Path) -> Path:
    folder = tmp_path / "package"
    written(folder, {"code/model.py": CODE.format(mark=str(mark)), "model/native/limit": "10"})
    return folder


def written(folder: Path, files: dict[str, str]) -> str:
    """A package of these files; its digest."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    manifest = Manifest(
        model="screening",
        task="regression",
        form="native",
        frame="pandas",
        custom_predict=True,
        schema=Schema(columns=(Column(name="a", kind="float"), Column(name="y", kind="float")), target="y"),
        layout=Layout(numbers=("a",), texts=()),
        requirements=(),
        python="3.11",
        files=tuple(
            PackagedFile(path=path, size=len(text), sha256=hashlib.sha256(text.encode()).hexdigest())
            for path, text in files.items()
        ),
    )
    content = msgspec.json.encode(manifest)
    (folder / "manifest.json").write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def sign(folder: Path, key: Signer) -> Path:
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    path = signature_path(folder, key.public.id)
    path.write_bytes(sign_files(folder.name, files, signer=key))
    return path


@pytest.fixture
def key(tmp_path: Path) -> Signer:
    return signer(tmp_path / "keys")


def trusting(*keys: Signer) -> Trust:
    return Trust(keys=tuple(key.public.pem for key in keys))


def test_code_runs_when_a_trusted_key_signed_it(package: Path, mark: Path, key: Signer) -> None:
    sign(package, key)
    predictor = open_package(package, trust=trusting(key))
    assert predictor.predict(ROWS).prediction.tolist() == [11.0, 12.0]
    assert mark.exists()


def test_whoever_made_it_may_run_it(package: Path, mark: Path) -> None:
    assert open_own(package).predict(ROWS).prediction.tolist() == [11.0, 12.0]
    assert mark.exists()


class Scene(NamedTuple):
    package: Path
    key: Signer
    other: Signer


def unsigned(at: Scene) -> Trust:
    return trusting(at.key)


def nobody(at: Scene) -> None:
    sign(at.package, at.key)


def stranger(at: Scene) -> Trust:
    sign(at.package, at.other)
    return trusting(at.key)


def revoked(at: Scene) -> Trust:
    sign(at.package, at.key)
    return msgspec.structs.replace(trusting(at.key), revoked=(at.key.public.id[:16],))


def of_another(at: Scene) -> Trust:
    path = sign(at.package, at.key)
    files = {
        "code/model.py": (at.package / "code" / "model.py").read_text() + "\n# changed",
        "model/native/limit": "10",
    }
    written(at.package, files)
    assert path.exists()
    return trusting(at.key)


def cut(at: Scene) -> Trust:
    path = sign(at.package, at.key)
    path.write_bytes(path.read_bytes()[:-100])
    return trusting(at.key)


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        (unsigned, "code/model.py runs code, and the package has no signature"),
        (nobody, "code/model.py runs code, and its signature .* is not trusted"),
        (stranger, "code/model.py runs code, and its signature .* is not trusted"),
        (revoked, "is revoked"),
        (of_another, "is of another package: code/model.py differs"),
        (cut, "is damaged"),
    ],
)
def test_code_does_not_run_otherwise(
    case: Callable[[Scene], Trust | None],
    sentence: str,
    package: Path,
    mark: Path,
    key: Signer,
    tmp_path: Path,
) -> None:
    trust = case(Scene(package, key, signer(tmp_path / "other")))
    with pytest.raises(Untrusted, match=sentence):
        open_package(package, trust=trust)
    assert not mark.exists()


def test_one_good_signature_is_enough(package: Path, key: Signer, tmp_path: Path) -> None:
    sign(package, signer(tmp_path / "other"))
    sign(package, key)
    (package.parent / "package.0000000000000000.sig").write_text("damaged")
    open_package(package, trust=trusting(key))


def test_a_change_after_signing_is_found_before_code_runs(package: Path, mark: Path, key: Signer) -> None:
    sign(package, key)
    with (package / "code" / "model.py").open("a") as file:
        file.write("\n# changed")
    with pytest.raises(Tampered, match=r"model\.py was changed"):
        open_package(package, trust=trusting(key))
    assert not mark.exists()
