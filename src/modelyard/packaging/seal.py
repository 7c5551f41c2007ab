"""From a trained model to an immutable folder whose digest covers all it needs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.errors import AuthorError, DataRefused, ModelyardError, StoreDown, Unconvertible
from modelyard.packaging import golden as golden_rows
from modelyard.packaging.convert import convert
from modelyard.packaging.mlflow_form import LOADER, mlflow_files
from modelyard.packaging.probes import thresholds
from modelyard.packaging.prove import prove
from modelyard.packaging.safe_file import dumps
from modelyard.predictor.answers import Answers
from modelyard.predictor.author import own_names
from modelyard.predictor.fitted import Fitted
from modelyard.predictor.native import answer
from modelyard.predictor.open import open_own
from modelyard.predictor.pickles import PICKLES
from modelyard.predictor.session import session
from modelyard.predictor.used import USES
from modelyard.predictor.verify import MANIFEST, decode, fingerprint
from modelyard.records.package import Beside, Manifest, PackagedFile, Probe, Proof, Used
from modelyard.records.schema import Schema
from modelyard.tables.batch import Batch, layout
from modelyard.tables.profile import anchor, anchor_answers

ASKED_NATIVE = "the settings ask for the native form"
"""Why a form that might be proven was not looked for."""
BESIDE = "native.json"
"""The record of the trained model beside a compiled one."""


def seal(
    fitted: Fitted,
    folder: Path,
    *,
    model: str,
    schema: Schema,
    code: Path,
    requirements: tuple[str, ...],
    train: Batch,
    test: Batch,
    form: Literal["auto", "onnx", "native"] = "auto",
    tolerance: float = 1e-5,
    python: str,
    uses: tuple[Used, ...] = (),
    used: Path | None = None,
    graph: bytes | None = None,
    kept: tuple[str, bytes] | None = None,
    beside: bool = False,
) -> Manifest:
    """Write the package into ``folder``, which appears whole or not at all, and return its manifest.

    ``auto`` takes the compiled form when it is proven equal within ``tolerance`` and the native one, with
    the reason in ``proof.json``, when it is not. ``code`` is the model's folder; ``train`` and ``test`` are the two
    parts of the dataset version. ``used`` is the folder of the packages that ``uses`` names. ``graph`` is what a model that came as ONNX serves,
    and ``kept`` the path and content of the pickle that a model came as, for when no safe form holds it. ``beside`` keeps the
    trained model beside the compiled one, where a safe form holds it, opened again and asked the test split. Sealing equal
    models gives equal digests. The sealed package is opened and must answer the test split as the trained model does.

    Raises ``Unconvertible`` when ``onnx`` is wanted and not proven, or when the model is neither provable
    nor safe to store; ``AuthorError`` when the author's code raises; ``DataRefused`` without test rows.
    """
    if len(test) == 0:
        raise DataRefused(
            "There are no test rows to prove the package on; give the split a larger test share."
        )
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # hundreds of small batches, which threads only get in the way of
        if graph is not None:
            compiled = _given(graph, fitted, test, tolerance=tolerance)
        else:
            compiled = _compiled(fitted, schema, test, form=form, tolerance=tolerance)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name[:20]}-", dir=folder.parent) as scratch:
            made = Path(scratch) / "package"
            made.mkdir()
            _write_model(fitted, compiled, made, own=own_names(code), kept=kept)
            _write_code(code, made / "code")
            if used is not None and not compiled.content:
                _carry(used, made / USES)
            manifest = Manifest(
                model=model,
                task=fitted.task,
                classes=fitted.classes,
                quantiles=fitted.quantiles,
                thresholds=fitted.thresholds,
                form="onnx" if compiled.content else "native",
                frame=fitted.frame,
                custom_predict=fitted.predict is not None,
                schema=schema,
                layout=layout(schema),
                requirements=tuple(sorted(requirements)),
                python=python,
                uses=uses,
                files=(),
            )
            answers = compiled.answers
            if beside and compiled.content and compiled.native is not None:
                found = _beside(
                    fitted, compiled.native, made, manifest, test, tolerance=tolerance, own=own_names(code)
                )
                _write(made / BESIDE, canonical(found))
            _write_records(made, manifest, compiled.proof, train, test, answers)
            manifest = msgspec.structs.replace(manifest, files=tuple(_measured(made)))
            _write(made / MANIFEST, canonical(manifest))
            _hold(made, fitted, test, answers, tolerance)
            if folder.exists():
                raise StoreDown(f"{folder} is there already; a package is sealed into a new folder.")
            made.rename(folder)
    except OSError as error:
        raise StoreDown(f"{folder} cannot be written: {error.strerror or error}.") from error
    return manifest


def canonical(value: object) -> bytes:
    """The one JSON of a record: keys sorted, no spaces."""
    return msgspec.json.encode(value, order="sorted")


@dataclass(frozen=True)
class _Compiled:
    proof: Proof
    answers: Answers
    """Of the form that serves, on the test split."""
    content: bytes | None
    native: Answers | None = None
    """Of the trained model."""


def _compiled(
    fitted: Fitted, schema: Schema, test: Batch, *, form: Literal["auto", "onnx", "native"], tolerance: float
) -> _Compiled:
    native = answer(fitted, test, schema)
    if form == "native":
        proof = Proof(proven=False, tolerance=tolerance, reason=ASKED_NATIVE)
        return _Compiled(proof, native, None)
    try:
        content = convert(fitted, schema)
        ask = session(content, fitted.task, fitted.classes, fitted.quantiles, fitted.thresholds)
        proof = prove(
            lambda rows: answer(fitted, rows, schema),
            ask,
            test,
            schema=schema,
            thresholds=thresholds(fitted, test, schema),
            tolerance=tolerance,
            decided=fitted.thresholds,
        )
    except (Unconvertible, ModelyardError) as error:
        proof = Proof(proven=False, tolerance=tolerance, reason=str(error).rstrip("."))
    if proof.proven:
        return _Compiled(proof, ask(test), content, native)
    if form == "onnx":
        raise Unconvertible(
            f"The model cannot serve as ONNX: {proof.reason}; set form = 'auto' to serve the trained model."
        )
    return _Compiled(proof, native, None)


def _given(graph: bytes, fitted: Fitted, test: Batch, *, tolerance: float) -> _Compiled:
    reason = "it came as ONNX, and there is no other form of it to hold it against"
    proof = Proof(proven=False, tolerance=tolerance, reason=reason)
    return _Compiled(proof, session(graph, fitted.task, fitted.classes)(test), graph)


def _write_model(
    fitted: Fitted, compiled: _Compiled, made: Path, *, own: frozenset[str], kept: tuple[str, bytes] | None
) -> None:
    if compiled.content:
        _write(made / "model" / "model.onnx", compiled.content)
        return
    try:
        _write_native(fitted, made, own=own)
    except Unconvertible as error:
        if kept is not None:
            _write(made / kept[0], kept[1])
            return
        raise Unconvertible(
            f"The model cannot be packaged: {error}, and as ONNX it is not proven ({compiled.proof.reason}); "
            "write 'save(model, folder)' and 'load(folder)' in model.py."
        ) from error


def _write_native(fitted: Fitted, made: Path, *, own: frozenset[str]) -> None:
    """As the author's ``save`` writes it, else in the skops format; ``Unconvertible`` where that cannot hold it."""
    if fitted.save is not None and fitted.load is not None:
        target = made / "model" / "native"
        target.mkdir(parents=True)
        try:
            fitted.save(fitted.model, target)
        except Exception as error:
            raise AuthorError(f"'save' in model.py raised {type(error).__name__}: {error}") from error
        if not any(path.is_file() for path in target.rglob("*")):
            raise AuthorError("'save' in model.py wrote no file into the folder that it was given.")
        return
    for name, content in dumps(_served(fitted), own).items():
        _write(made / "model" / name, content)


def _beside(
    fitted: Fitted,
    native: Answers,
    made: Path,
    manifest: Manifest,
    test: Batch,
    *,
    tolerance: float,
    own: frozenset[str],
) -> Beside:
    """Write the trained model beside the compiled one and hold what opens of it to what it answered."""
    if manifest.uses:
        return Beside(reason="it asks other models, which a compiled package does not carry")
    before = {path for path in (made / "model").rglob("*") if path.is_file()}
    try:
        _write_native(fitted, made, own=own)
        opened = msgspec.structs.replace(manifest, form="native", files=tuple(_measured(made)))
        _write(made / MANIFEST, canonical(opened))
        again = open_own(made).predict(test)
        if reason := _differs(again, native, fitted, tolerance):
            raise Unconvertible(reason)
    except (Unconvertible, AuthorError) as error:
        for path in sorted((made / "model").rglob("*"), reverse=True):
            if path not in before:
                path.unlink() if path.is_file() else path.rmdir()
        return Beside(reason=str(error).rstrip("."))
    finally:
        (made / MANIFEST).unlink(missing_ok=True)
    ours, theirs = (_told(answers) for answers in (again, native))
    numeric = ours.dtype.kind == "f"
    worst = (
        float(np.max(np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1.0), initial=0.0))
        if numeric
        else 0.0
    )
    flips = 0 if fitted.task == "regression" else int((again.prediction != native.prediction).sum())
    return Beside(probe=Probe(name="test split", rows=len(test), worst=worst, flips=flips))


def _served(fitted: Fitted) -> object:
    """Without the search around it, whose timings differ from one training to the next."""
    best = getattr(fitted.model, "best_estimator_", None)
    return fitted.model if best is None or fitted.predict is not None else best


def _write_code(source: Path, target: Path) -> None:
    """The model's folder without compiled and hidden files; links are followed to their content."""
    if (source / f"{LOADER}.py").exists() or (source / "modelyard_fallback").exists():
        raise Unconvertible(f"{source} has a file named {LOADER}, a name that packages use; rename it.")
    for root, folders, names in os.walk(source):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__pycache__")
        for name in sorted(names):
            if name.startswith(".") or name.endswith((".pyc", ".pyo")):
                continue
            path = Path(root, name)
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def _carry(source: Path, target: Path) -> None:
    """The packages that the model's code asks, each whole."""
    for path in sorted(
        path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _write_records(
    made: Path, manifest: Manifest, proof: Proof, train: Batch, test: Batch, answers: Answers
) -> None:
    rows = golden_rows.chosen(test)
    at = np.unique(np.linspace(0, len(test) - 1, len(rows)).astype(np.intp))
    golden = golden_rows.golden(rows, answers.take(at), manifest.schema)
    reference = anchor_answers(
        answers.prediction, answers.probability, task=manifest.task, classes=manifest.classes
    )
    for name, record in (
        ("schema.json", manifest.schema),
        ("profile.json", anchor(train, manifest.schema)),
        ("answers.json", reference),
        ("golden.json", golden),
        ("proof.json", proof),
    ):
        _write(made / name, canonical(record))
    carried = [
        decode((made / USES / used.ref / MANIFEST).read_bytes(), used.ref)
        for used in (manifest.uses if (made / USES).is_dir() else ())
    ]
    if any((made / path).exists() for path in PICKLES):
        return  # MLflow would load a pickle unasked
    for path, content in mlflow_files(manifest, golden.rows[:5], carried).items():
        _write(made / path, content)


def _measured(made: Path) -> Iterator[PackagedFile]:
    for path in sorted(path for path in made.rglob("*") if path.is_file()):
        size, sha256 = fingerprint(path)
        yield PackagedFile(path=path.relative_to(made).as_posix(), size=size, sha256=sha256)


def _hold(made: Path, fitted: Fitted, test: Batch, answers: Answers, tolerance: float) -> None:
    """Open what was sealed and ask it the test split: what was tested is what runs."""
    again = open_own(made).predict(test)
    if reason := _differs(again, answers, fitted, tolerance):
        raise Unconvertible(reason)


def _differs(again: Answers, answers: Answers, fitted: Fitted, tolerance: float) -> str:
    """A sentence where what was opened again answers otherwise."""
    ours, theirs = (_told(a) for a in (again, answers))
    if fitted.task == "regression" or answers.probability is not None:
        size = np.maximum(np.abs(theirs), 1.0)
        same = ours.shape == theirs.shape and bool((np.abs(ours - theirs) <= tolerance * size).all())
    else:
        same = bool((ours == theirs).all())
    if same:
        return ""
    return (
        "The packaged model answers the test rows otherwise than the trained one; "
        "'load' in model.py does not bring back what 'save' wrote."
        if fitted.save
        else "The packaged model answers the test rows otherwise than the trained one."
    )


def _told(answers: Answers) -> NDArray[Any]:
    for numbers in (answers.quantiles, answers.probability):
        if numbers is not None:
            return numbers
    return answers.prediction


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
