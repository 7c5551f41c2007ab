"""Five hundred packages that somebody tampered with load or are refused, and never run anybody else's code."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.errors import ModelyardError
from modelyard.packaging import seal
from modelyard.predictor import open_package, signature_path
from modelyard.records.trust import Trust
from modelyard.signing import sign_files, signer

CODE = """
import os


def save(model, folder):
    (folder / "limit").write_text(str(model))


def load(folder):
    return float((folder / "limit").read_text())


def predict(model, rows):
    return (rows["mean_radius"] > model).map({True: "malignant", False: "benign"}).to_numpy()
"""
EVIL = "import os\nopen(os.environ['EVIL'], 'a').close()\n"


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (EVIL,)


class Given(NamedTuple):
    files: dict[str, bytes]
    signature: bytes
    digest: str


@pytest.fixture(scope="module")
def packages(cancer: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Given], Trust, str]:
    """Signed packages that serve ONNX, skops, and the author's own code; who is trusted; its key."""
    home = tmp_path_factory.mktemp("mutated")
    key = signer(home / "keys")
    hooks: dict[str, Any] = {"__name__": "model"}
    exec(CODE, hooks)
    own = {name: hooks[name] for name in ("predict", "save", "load")}
    fitted = cancer.fit(make_pipeline(StandardScaler(), LogisticRegression()))
    made = []
    for name, what, form in (
        ("onnx", fitted, "auto"),
        ("skops", fitted, "native"),
        ("code", replace(fitted, model=15.0, **own), "native"),
    ):
        (home / f"{name}-code").mkdir()
        (home / f"{name}-code" / "model.py").write_text(CODE)
        folder = home / name
        seal(
            what,
            folder,
            model="screening",
            schema=cancer.schema,
            code=home / f"{name}-code",
            requirements=(),
            train=cancer.train,
            test=cancer.test,
            form=form,  # type: ignore[arg-type]
            python="3.11",
        )
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        signature = sign_files(name, {p: _sha(c) for p, c in files.items()}, signer=key)
        made.append(Given(files, signature, _sha(files["manifest.json"])))
    return made, Trust(keys=(key.public.pem,)), key.public.id


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


Change = Callable[[bytes, int], bytes]
CHANGES: dict[str, Change] = {
    "flip": lambda c, at: (
        c[: at % len(c)] + bytes([c[at % len(c)] ^ (1 << at % 8)]) + c[at % len(c) + 1 :] if c else c
    ),
    "cut": lambda c, at: c[: at % (len(c) + 1)],
    "append": lambda c, at: c + bytes([at % 256]) * (at % 99 + 1),
    "repeat": lambda c, at: c[: at % (len(c) + 1)] + c,
    "empty": lambda c, _: c[:0],
    "evil code": lambda c, _: EVIL.encode() + c,
    "evil pickle": lambda _, at: pickle.dumps(Evil(), protocol=at % 6),
    "evil type": lambda c, _: c.replace(b"sklearn.linear_model._logistic", b"os").replace(
        b"LogisticRegression", b"system"
    ),
}
ADDED = (
    "code/sitecustomize.py",
    "code/os.py",
    "code/numpy.py",
    "model/native/x",
    "model/model.joblib",
    "model/model.skops",
)


@settings(max_examples=500)
@given(st.data())
def test_mutated_packages_load_or_are_refused(
    packages: tuple[list[Given], Trust, str], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    made, trust, key = packages
    given = data.draw(st.sampled_from(made))
    files = dict(given.files)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(
            st.sampled_from([*sorted(files), *ADDED, *[n for n in files if n.startswith("model/")] * 3])
        )
        change = data.draw(st.sampled_from(sorted(CHANGES)))
        files[name] = CHANGES[change](files.get(name, b""), data.draw(st.integers(0, 1 << 20)))
    if data.draw(st.booleans()):
        files["manifest.json"] = _mended(given, files, data)
    home = tmp_path_factory.mktemp("one")
    folder, mark = home / "package", home / "evil"
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    signature_path(folder, key).write_bytes(given.signature)
    os.environ["EVIL"] = str(mark)
    try:
        opened = open_package(folder, trust=trust)
    except ModelyardError:
        pass
    else:
        assert opened.manifest.form != "native" or not opened.manifest.custom_predict or files == given.files
    finally:
        assert not mark.exists()
        shutil.rmtree(home)


def _mended(given: Given, files: dict[str, bytes], data: st.DataObject) -> bytes:
    """A manifest that fits, as one writes it who means harm: only a signature is missing."""
    try:
        manifest = msgspec.json.decode(files["manifest.json"])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        manifest = msgspec.json.decode(given.files["manifest.json"])
    manifest["files"] = [
        {"path": name, "size": len(content), "sha256": _sha(content)}
        for name, content in sorted(files.items())
        if name != "manifest.json"
    ]
    manifest["form"] = data.draw(st.sampled_from(["onnx", "native"]))
    manifest["custom_predict"] = data.draw(st.booleans())
    return msgspec.json.encode(manifest)
