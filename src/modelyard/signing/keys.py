"""A machine's own EC P-256 keys: made at first use, never leaving their folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import SettingsError, StoreDown

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

PRIVATE = "signing.pem"
"""In a folder of keys, the one that signs; ``*.pub`` beside it are the public halves of all there were."""
_CURVES = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}


@dataclass(frozen=True)
class PublicKey:
    """Half of a pair that anyone may have."""

    pem: str

    @cached_property
    def id(self) -> str:
        """sha256 (hex) of the PEM, which a Sigstore bundle calls the key's hint."""
        return hashlib.sha256(self.pem.encode()).hexdigest()

    def verifies(self, signature: bytes, content: bytes) -> bool:
        """Whether the signature (ASN.1) is this key's of the content."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = serialization.load_pem_public_key(self.pem.encode())
        assert isinstance(key, ec.EllipticCurvePublicKey)
        try:
            key.verify(signature, content, ec.ECDSA(getattr(hashes, _CURVES[key.curve.name])()))
        except InvalidSignature:
            return False
        return True


class Signer:
    """A private key in use."""

    def __init__(self, key: EllipticCurvePrivateKey, *, new: bool = False) -> None:
        from cryptography.hazmat.primitives import serialization

        self._key = key
        self.new = new
        """Whether it was made just now."""
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        pem = key.public_key().public_bytes(serialization.Encoding.PEM, spki)
        self.public = PublicKey(pem.decode())

    def sign(self, content: bytes) -> bytes:
        """ASN.1."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        return self._key.sign(content, ec.ECDSA(getattr(hashes, _CURVES[self._key.curve.name])()))


def public(path: Path) -> PublicKey:
    """The public key in a PEM file; ``SettingsError`` when there is none on a curve that signs."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    content = _read(path, "public")
    try:
        key = serialization.load_pem_public_key(content)
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _CURVES:
        raise SettingsError(
            f"{path} holds no public key on the curve P-256, P-384 or P-521 in PEM; "
            "'modelyard keys export FILE' writes one."
        )
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return PublicKey(key.public_bytes(serialization.Encoding.PEM, spki).decode())


def own(folder: Path) -> list[PublicKey]:
    """The public halves of all keys that were made in ``folder``, oldest first."""
    found = sorted(folder.glob("*.pub"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    return [public(path) for path in found]


def signer(folder: Path) -> Signer:
    """The key of ``folder`` that signs, made now (0600) if there is none.

    Two who make it at once get the same one. Raises ``SettingsError`` when others may read it,
    ``StoreDown`` when the disk refuses.
    """
    path = folder / PRIVATE
    new = False
    if not path.exists():
        with _drafted(folder) as draft, contextlib.suppress(FileExistsError):
            os.link(draft, path)
            new = True
    found = signer_from(path, new=new)
    _publish(folder, found)
    return found


def rotate(folder: Path) -> Signer:
    """A new key signs from now on; the private half of the one before is gone, its signatures still verify."""
    if (folder / PRIVATE).exists():
        signer(folder)  # its public half is kept, whatever became of the file
    with _drafted(folder) as draft:
        draft.replace(folder / PRIVATE)
    found = signer_from(folder / PRIVATE, new=True)
    _publish(folder, found)
    return found


def signer_from(path: Path, *, new: bool = False) -> Signer:
    """The private key in a PEM file without a password, which only its owner may read."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    content = _read(path, "private")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SettingsError(f"The private key {path} may be read by others; run 'chmod 600 {path}'.")
    try:
        key = serialization.load_pem_private_key(content, None)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"{path} holds no private key in PEM without a password: {error}.") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in _CURVES:
        raise SettingsError(f"The private key {path} is none on the curve P-256, P-384 or P-521.")
    return Signer(key, new=new)


@contextlib.contextmanager
def _drafted(folder: Path) -> Iterator[Path]:
    """A new private key in a file of its own, which is gone afterwards."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    content = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened, name = tempfile.mkstemp(prefix=".draft-", dir=folder)  # 0600
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise StoreDown(f"No key can be made in {folder}: {error.strerror}.") from None


def _publish(folder: Path, signer: Signer) -> None:
    path = folder / f"{signer.public.id[:16]}.pub"
    if path.exists():
        return
    draft = folder / f".{path.name}.{os.getpid()}"
    try:
        draft.write_text(signer.public.pem)
        draft.replace(path)
    except OSError as error:
        raise StoreDown(f"The public key {path} cannot be written: {error.strerror}.") from None


def _read(path: Path, half: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The {half} key {path} cannot be read: {error.strerror}.") from None
