"""From a package's folder to something that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from modelyard.errors import Tampered, UnknownName
from modelyard.predictor.answers import Answers
from modelyard.predictor.verify import checked, verified
from modelyard.predictor.vouch import vouch
from modelyard.records.package import Form, Layout, Manifest
from modelyard.records.schema import Schema
from modelyard.records.trust import Trust
from modelyard.tables.batch import Batch

if TYPE_CHECKING:
    from modelyard.predictor.used import Opener, UsedModel

Allow = Callable[[str], None]
"""Asked with a file's path before code of it runs; raises where it may not."""
GRAPH = "model/model.onnx"
_NATIVE = ("model/model.skops", "model/native/")
LARGEST = 2 << 30
"""Bytes of a graph."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """An opened package. Safe under threads as far as its model is (a compiled one is)."""

    manifest: Manifest
    predict: Callable[[Batch], Answers]
    """Answers for a batch laid out as ``layout`` says, in the order of its rows; ``AuthorError`` when
    the model raises or gives a number that is not finite."""

    @property
    def schema(self) -> Schema:
        return self.manifest.schema

    @property
    def layout(self) -> Layout:
        return self.manifest.layout


def open_package(
    folder: Path, *, digest: str | None = None, trust: Trust | None = None, form: Form | None = None
) -> Predictor:
    """Verify a package and load the form that serves, or that ``form`` names; ``UnknownName`` where it is not there.

    Nothing of it is loaded before every byte is checked; code and pickles of it run only when a key that ``trust``
    holds signed the package, whose signatures stand beside the folder. Raises ``Tampered`` naming a file that does
    not match, ``Untrusted``, and for a native form ``ExtraMissing`` when the libraries it was sealed with are not
    installed here, ``Unconvertible`` for a type that is not on the allow-list.
    """
    manifest, found = checked(folder, digest, later=_loaded)
    whose = trust or Trust()
    if whose.always:
        vouch(folder, manifest, found, trust=whose)

    def allow(needs: str) -> None:
        vouch(folder, manifest, found, trust=whose, needs=needs)

    if form is not None and form != manifest.form:
        if form == "onnx" or not any(file.path.startswith(_NATIVE) for file in manifest.files):
            raise UnknownName(
                f"The package of '{manifest.model}' in {folder} has no {form} form, only {manifest.form}."
            )
        manifest = msgspec.structs.replace(manifest, form=form)
    return _predictor(folder, manifest, allow)


def open_own(folder: Path) -> Predictor:
    """The same for a package that this very process sealed, or runs as its author's: its code may run."""
    return _predictor(folder, checked(folder, later=_loaded)[0], lambda _: None)


def _loaded(manifest: Manifest) -> tuple[str, ...]:
    """The file that is verified as it is loaded; of what serves native, all are verified before."""
    return (GRAPH,) if manifest.form == "onnx" else ()


def _predictor(folder: Path, manifest: Manifest, allow: Allow) -> Predictor:
    if manifest.form == "onnx":
        from modelyard.predictor.session import session

        size = next((file.size for file in manifest.files if file.path == GRAPH), 0)
        if size > LARGEST:
            raise Tampered(
                f"{folder / GRAPH} has {size:,} bytes, more than the {LARGEST:,} that a graph may have."
            )
        content = verified(folder, manifest, GRAPH)
        return Predictor(
            manifest,
            session(content, manifest.task, manifest.classes, manifest.quantiles, manifest.thresholds),
        )
    from modelyard.predictor.load import load
    from modelyard.predictor.native import answer

    if not manifest.uses:
        fitted = load(folder, manifest, allow=allow)
        return Predictor(manifest, lambda batch: answer(fitted, batch, manifest.schema))
    from modelyard.predictor.used import USES, using

    used = opener(folder / USES, {one.ref: one.package for one in manifest.uses}, allow=allow)
    with using(used):
        fitted = load(folder, manifest, allow=allow)

    def ask(batch: Batch) -> Answers:
        with using(used):
            return answer(fitted, batch, manifest.schema)

    return Predictor(manifest, ask)


def opener(
    folder: Path, digests: Mapping[str, str] | None = None, *, allow: Allow = lambda _: None
) -> Opener:
    """What answers ``my.used`` with the packages ``NAME@N`` in ``folder``, all opened now.

    ``digests`` are those that each must have, by ``NAME@N``. Their code may run, unless ``allow`` raises: whoever
    laid them there, or signed the package that carries them, answered for it. Raises what ``open_package`` does.
    """
    from modelyard.predictor.used import UsedModel

    refs = sorted(path.name for path in folder.iterdir()) if digests is None else list(digests)
    found: dict[str, UsedModel] = {}
    for ref in refs:
        manifest, _ = checked(folder / ref, (digests or {}).get(ref), later=_loaded)
        inner = _predictor(folder / ref, manifest, _below(allow, f"{folder.name}/{ref}"))
        found[ref.partition("@")[0]] = UsedModel(ref, inner.manifest, inner.predict)

    def opened(name: str) -> UsedModel:
        if name not in found:
            raise UnknownName(
                f"my.used({name!r}): the model's 'uses' in modelyard.toml names {', '.join(refs) or 'nothing'}."
            )
        return found[name]

    return opened


def _below(allow: Allow, place: str) -> Allow:
    return lambda needs: allow(f"{place}/{needs}")
