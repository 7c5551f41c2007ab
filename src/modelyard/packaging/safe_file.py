"""A model as a skops file whose bytes depend on the model alone."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from modelyard.errors import Unconvertible
from modelyard.predictor.boosters import taken_out
from modelyard.predictor.parts import parts
from modelyard.predictor.safe import untrusted

_EPOCH = (1980, 1, 1, 0, 0, 0)


def dumps(model: Any, own: frozenset[str] = frozenset()) -> dict[str, bytes]:
    """Files: the model in the skops format, normalised so that two equal models give equal bytes, and beside
    it each booster of XGBoost or LightGBM in that library's own text.

    skops numbers objects by their address, names files by it and dates them; here ids are counted,
    files named in order of use and dated alike, and padding in arrays is zero. Raises
    ``Unconvertible`` naming a type that cannot be stored, or not be loaded again safely. ``own`` are the
    modules of the package's own code, whose types may be stored.
    """
    import skops.io

    rest, files = taken_out(model)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = skops.io.dumps(rest)
            strange = untrusted(content, own)
    except Exception as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        what = _culprit(rest) or f"a {type(model).__name__}"
        raise Unconvertible(f"{what} cannot be stored safely ({line[:300]})") from error
    if strange:
        raise Unconvertible(f"it holds {strange[0]}, a type that is not safe to load")
    return {"model.skops": _normalised(content), **files}


def _culprit(model: Any) -> str:
    """The innermost estimator's attribute that cannot be stored, in words; empty where none is found."""
    import skops.io

    found = ""
    for part in parts(model):
        for name, value in vars(part).items():
            try:
                skops.io.dumps(value)
            except Exception:
                found = f"'{name}' of {type(part).__name__}, a {type(value).__name__},"
    return found


def _normalised(content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w") as made:
        tree = json.loads(source.read("schema.json"))
        files = _renamed(tree)
        entries = {new: _plain(source.read(old)) for old, new in files.items()}
        entries["schema.json"] = json.dumps(tree, indent=1).encode()
        for name in sorted(entries):
            made.writestr(zipfile.ZipInfo(name, _EPOCH), entries[name], zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _renamed(tree: Any) -> dict[str, str]:
    """Count ids and file names anew, in place; an id that is used once says nothing and goes."""
    for node in _nodes(tree):
        if node.get("__loader__") == "SetNode":
            node["content"].sort(key=_without_ids)
    uses = Counter(node["__id__"] for node in _nodes(tree) if "__id__" in node)
    ids: dict[int, int] = {}
    files: dict[str, str] = {}
    for node in _nodes(tree):
        old = node.pop("__id__", None)
        if old is not None and uses[old] > 1 and node.get("__loader__") != "JsonNode":
            node["__id__"] = ids.setdefault(old, len(ids) + 1)
        if isinstance(node.get("file"), str) and "__loader__" in node:
            stem = files.get(node["file"]) or f"{len(files):06d}.{node['file'].rpartition('.')[2]}"
            files[node["file"]], node["file"] = stem, stem
    return files


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in list(tree.values()):
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


def _without_ids(node: Any) -> str:
    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: bare(v) for k, v in value.items() if k not in ("__id__", "file")}
        return [bare(v) for v in value] if isinstance(value, list) else value

    return json.dumps(bare(node), sort_keys=True)


def _plain(content: bytes) -> bytes:
    """An array of records without what memory held between its fields; other files as they are."""
    if not content.startswith(b"\x93NUMPY"):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, dtype=array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()
