"""Whether a trusted key signed exactly these files."""

from __future__ import annotations

import glob
from pathlib import Path

from modelyard.errors import StoreDown, Untrusted
from modelyard.predictor.verify import MANIFEST, checked
from modelyard.records.package import Manifest
from modelyard.records.trust import Trust
from modelyard.signing import PublicKey, signed_files

SUFFIX = ".sig"


def signature_path(folder: Path, key: str) -> Path:
    """Where the signature of the key of that id stands beside a package's folder."""
    return folder.with_name(f"{folder.name}.{key[:16]}{SUFFIX}")


def signatures(folder: Path) -> list[Path]:
    """The signatures that stand beside a package's folder."""
    return sorted(folder.parent.glob(f"{glob.escape(folder.name)}.*{SUFFIX}"))


def vouched(folder: Path, *, digest: str | None = None, trust: Trust, needs: str = "") -> PublicKey:
    """Verify the package with its signatures; the trusted key that signed it.

    ``needs`` is the file that wants it. Raises ``Tampered`` or ``Untrusted``.
    """
    manifest, found = checked(folder, digest)
    return vouch(folder, manifest, found, trust=trust, needs=needs)


def vouch(folder: Path, manifest: Manifest, digest: str, *, trust: Trust, needs: str = "") -> PublicKey:
    """The trusted key that signed what ``manifest``, of that digest, lists and nothing else.

    Raises ``Untrusted`` saying which file needs it and what is wrong with the signature.
    """
    who = f"{folder / needs} runs code, and" if needs else f"{folder} has to be signed, and"
    files = {file.path: file.sha256 for file in manifest.files} | {MANIFEST: digest}
    refused: list[str] = []
    for path in signatures(folder):
        try:
            signed, key = signed_files(_read(path), trust, what=f"its signature {path.name}")
        except Untrusted as error:
            refused.append(str(error).rstrip("."))
            continue
        if signed == files:
            return key
        odd = min(name for name in signed.keys() | files.keys() if signed.get(name) != files.get(name))
        refused.append(f"its signature {path.name} is of another package: {odd} differs")
    if not refused:
        raise Untrusted(
            f"{who} the package has no signature; whoever answers for it runs 'modelyard package REF --sign'."
        )
    raise Untrusted(f"{who} {'; '.join(refused)}.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreDown(f"{path} cannot be read: {error.strerror}.") from None
