"""Loading a native model from a verified package."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from modelyard.errors import Unconvertible
from modelyard.predictor import pickles
from modelyard.predictor.author import hooks, own_names
from modelyard.predictor.boosters import put_back
from modelyard.predictor.fitted import Fitted
from modelyard.predictor.locked import require
from modelyard.predictor.pickles import PICKLES
from modelyard.predictor.safe import loads, strange
from modelyard.predictor.verify import verified
from modelyard.records.package import Manifest

SKOPS = "model/model.skops"


def load(folder: Path, manifest: Manifest, *, allow: Callable[[str], None]) -> Fitted:
    """The model as it was trained, with the author's functions where the package says so.

    The caller has verified the package; what is run of it is held to the manifest again as it is read.
    ``allow`` is asked with a file's path before code of it runs, and raises where it may not. Raises ``Tampered``, ``ExtraMissing``, ``Unconvertible`` or ``AuthorError``.
    """
    require(manifest.requirements, f"the package of '{manifest.model}'")
    place = folder.resolve()

    def source(path: Path) -> bytes:
        return verified(place, manifest, path.relative_to(place).as_posix())

    listed = {file.path for file in manifest.files}
    if pickled := next((path for path in PICKLES if path in listed), None):
        allow(pickled)
        model = pickles.loads(verified(folder, manifest, pickled), pickled)
        return Fitted(
            model=model,
            task=manifest.task,
            classes=manifest.classes,
            frame=manifest.frame,
            thresholds=manifest.thresholds,
        )
    stored = None if (folder / "model" / "native").is_dir() else verified(folder, manifest, SKOPS)
    names = own_names(folder / "code") if (folder / "code").is_dir() else frozenset()
    own = (
        manifest.custom_predict
        or stored is None
        or any(n.partition(".")[0] in names for n in strange(stored, SKOPS))
    )
    if own:
        allow("code/model.py")
    author = hooks(folder / "code", source) if own else None
    if stored is None:
        if author is None or author.load is None:
            raise Unconvertible(f"{folder / 'code' / 'model.py'} has 'save' but no 'load'; write both.")
        model = author.loaded(folder / "model" / "native")
    else:
        with author.importable() if author else nullcontext():
            held = loads(stored, SKOPS, names)
        model = put_back(held, lambda name: verified(folder, manifest, f"model/{name}"))
    return Fitted(
        model=model,
        task=manifest.task,
        classes=manifest.classes,
        frame=manifest.frame,
        predict=author.predict if author and manifest.custom_predict else None,
        quantiles=manifest.quantiles,
        thresholds=manifest.thresholds,
    )
