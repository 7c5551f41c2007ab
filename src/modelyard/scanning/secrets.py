"""Secrets in the repository, by detect-secrets' plugins; no one is asked whether a secret works."""

from __future__ import annotations

import contextlib
import importlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from modelyard.records.weakness import Weakness
from modelyard.scanning.files import LARGEST, Committed, Files

_VERIFIES = "detect_secrets.filters.common.is_ignored_due_to_verification_policies"
_HASHES = ("sha256:", "sha512-", "sha512:")
"""Of locked files: they name content and open nothing."""
_LESS_SURE = {"Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector"}
_TABLES = {".csv", ".tsv", ".parquet", ".arrow", ".npy", ".lock"}
_HELP = "https://github.com/Yelp/detect-secrets"


def secrets(files: Files) -> Iterator[Weakness]:
    """Of files that are texts of a usual size; ``# pragma: allowlist secret`` on a line says that it is none."""
    with _scanner() as scan:
        for path in files.paths:
            file = files.root / path
            if file.suffix.lower() not in _TABLES and file.stat().st_size <= LARGEST:
                for found in scan(file):
                    yield _weakness(found, path, "")


def in_history(blobs: Iterable[Committed]) -> Iterator[Weakness]:
    """Of what only commits hold: taking it out of the working tree did not take it back."""
    with _scanner() as scan, tempfile.TemporaryDirectory() as folder:
        for blob in blobs:
            if Path(blob.path).suffix.lower() in _TABLES:
                continue
            file = Path(folder) / Path(blob.path).name
            file.write_bytes(blob.content)
            for found in scan(file):
                yield _weakness(found, blob.path, f" in the history (git show {blob.blob[:12]})")
            file.unlink()


@contextlib.contextmanager
def _scanner() -> Iterator[Callable[[Path], Iterator[Any]]]:
    """A function from a file to its secrets."""
    settings: Any = importlib.import_module("detect_secrets.settings")
    core: Any = importlib.import_module("detect_secrets.core.scan")

    def scan(file: Path) -> Iterator[Any]:
        lines = file.read_text(errors="replace").splitlines()
        for found in core.scan_file(str(file)):
            line = lines[found.line_number - 1] if 0 < found.line_number <= len(lines) else ""
            if not any(mark in line for mark in _HASHES):
                yield found

    with settings.default_settings() as chosen:
        chosen.disable_filters(_VERIFIES)
        yield scan


def _weakness(found: Any, path: str, where: str) -> Weakness:
    rule = _plugin(found.type)
    return Weakness(
        check="secrets",
        rule=rule,
        level="warning" if rule in _LESS_SURE else "error",
        path=path,
        line=max(1, found.line_number),
        message=f"{found.type}{where}: revoke it, then take it out.",
        help=_HELP,
        fingerprint=found.secret_hash,
    )


def _plugin(kind: str) -> str:
    """A kind's plugin by its class: names that do not change."""
    util: Any = importlib.import_module("detect_secrets.core.plugins.util")
    classes = util.get_mapping_from_secret_type_to_class()
    return str(classes[kind].__name__) if kind in classes else kind.replace(" ", "")
