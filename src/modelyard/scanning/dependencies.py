"""Known vulnerabilities of what the project depends on, from advisories in a file."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from modelyard.errors import SettingsError
from modelyard.records.weakness import Level, Weakness
from modelyard.scanning.files import Files

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;#\\]+)")
_LEVEL: dict[str, Level] = {"LOW": "note", "MODERATE": "warning", "MEDIUM": "warning"}


class Dependency(NamedTuple):
    name: str
    """Canonical."""
    version: str
    path: str
    """Which file asks for it."""
    line: int = 1


def pinned(files: Files) -> Iterator[Dependency]:
    """What files of requirements and locks name with an exact version."""
    for path, file in files.of("*requirements*.txt", "requirements.model", "*.lock"):
        for at, line in enumerate(file.read_text(errors="replace").splitlines(), start=1):
            if found := _PIN.match(line.strip()):
                yield Dependency(canonicalize_name(found[1]), found[2], path, at)


def dependencies(wanted: Iterable[Dependency], advisories: Path) -> Iterator[Weakness]:
    """Each advisory that a dependency's version is in; withdrawn ones do not count. Raises ``SettingsError``."""
    known: dict[str, list[dict[str, Any]]] = {}
    for record in _records(advisories):
        if not record.get("withdrawn"):
            for affected in record.get("affected", ()):
                package = affected.get("package", {})
                if package.get("ecosystem") == "PyPI" and package.get("name"):
                    known.setdefault(canonicalize_name(package["name"]), []).append(
                        {**record, "one": affected}
                    )
    for dependency in sorted(set(wanted)):
        seen: set[str] = set()
        for record in known.get(dependency.name, ()):
            names = {record["id"], *record.get("aliases", ())}
            if not names & seen and _affected(record["one"], dependency.version):
                seen |= names
                yield _weakness(dependency, record)


def _affected(affected: dict[str, Any], version: str) -> bool:
    """As the OSV format defines it: the version is named, or within a range of events."""
    if version in affected.get("versions", ()):
        return True
    try:
        ours = Version(version)
    except InvalidVersion:
        return False
    return any(
        _within(span.get("events", ()), ours)
        for span in affected.get("ranges", ())
        if span.get("type") == "ECOSYSTEM"
    )


def _within(events: Iterable[dict[str, str]], ours: Version) -> bool:
    def when(event: dict[str, str]) -> tuple[Version, bool]:
        text = next(iter(event.values()))
        return Version("0") if text == "0" else Version(text), "introduced" not in event

    inside = False
    try:
        for event in sorted((e for e in events if "limit" not in e), key=when):
            kind, text = next(iter(event.items()))
            if kind == "introduced" and (text == "0" or ours >= Version(text)):
                inside = True
            elif (kind == "fixed" and ours >= Version(text)) or (
                kind == "last_affected" and ours > Version(text)
            ):
                inside = False
    except InvalidVersion:
        return False
    return inside


def _weakness(dependency: Dependency, record: dict[str, Any]) -> Weakness:
    fixed = [
        event["fixed"]
        for span in record["one"].get("ranges", ())
        for event in span.get("events", ())
        if "fixed" in event and span.get("type") == "ECOSYSTEM"
    ]
    cure = f"update it to {' or '.join(fixed)}" if fixed else "no version mends it yet"
    severity = str(record.get("database_specific", {}).get("severity", "")).upper()
    summary = record.get("summary") or str(record.get("details", "")).strip().partition("\n")[0]
    also = ", ".join(a for a in record.get("aliases", ()) if a.startswith("CVE-"))
    told = f" ({also})" if also else ""
    return Weakness(
        check="dependencies",
        rule=record["id"],
        level=_LEVEL.get(severity, "error"),
        path=dependency.path,
        line=dependency.line,
        message=f"{dependency.name} {dependency.version}: {summary[:300]}{told}; {cure}.",
        help=f"https://osv.dev/vulnerability/{record['id']}",
        fingerprint=f"{dependency.name} {dependency.version}",
    )


def _records(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*.json")):
                yield from _read(file.read_bytes(), file)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in sorted(n for n in archive.namelist() if n.endswith(".json")):
                    yield from _read(archive.read(name), path / name)
        else:
            yield from _read(path.read_bytes(), path)
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise SettingsError(f"scan.advisories: {path} cannot be read: {why}.") from None


def _read(content: bytes, path: Path) -> Iterator[dict[str, Any]]:
    try:
        found = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"scan.advisories: {path} is no JSON: {error}.") from None
    if isinstance(found, dict) and "dependencies" in found:
        yield from _audited(found["dependencies"])
        return
    for record in found if isinstance(found, list) else [found]:
        if not isinstance(record, dict) or "id" not in record:
            raise SettingsError(
                f"scan.advisories: {path} holds no advisory in the OSV format: it has no 'id'."
            )
        yield record


def _audited(listed: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What ``pip-audit -f json`` found, as advisories of exactly those versions."""
    for one in listed:
        for found in one.get("vulns", ()):
            events = [
                {"introduced": "0"},
                *({"fixed": version} for version in found.get("fix_versions", ())[:1]),
            ]
            yield {
                "id": found["id"],
                "aliases": found.get("aliases", []),
                "details": found.get("description", ""),
                "affected": [
                    {
                        "package": {"ecosystem": "PyPI", "name": one["name"]},
                        "versions": [one["version"]],
                        "ranges": [{"type": "ECOSYSTEM", "events": events}] if len(events) > 1 else [],
                    }
                ],
            }
