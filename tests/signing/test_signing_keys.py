"""Keys are made once, kept from others, and rotated without losing what they signed."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from modelyard.errors import SettingsError
from modelyard.signing import own, public, rotate, signer, signer_from


def test_a_key_is_made_at_first_use_and_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    first, again = signer(folder), signer(folder)
    assert (first.new, again.new) == (True, False)
    assert first.public == again.public
    assert stat.S_IMODE((folder / "signing.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert own(folder) == [first.public]
    assert sorted(path.name for path in folder.iterdir()) == [f"{first.public.id[:16]}.pub", "signing.pem"]
    assert first.public.verifies(first.sign(b"content"), b"content")
    assert not first.public.verifies(first.sign(b"content"), b"Content")


MAKE = "import sys, pathlib; from modelyard.signing import signer; print(signer(pathlib.Path(sys.argv[1])).public.id)"


def test_many_who_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    makers = [
        subprocess.Popen([sys.executable, "-c", MAKE, str(folder)], stdout=subprocess.PIPE) for _ in range(6)
    ]
    said = {maker.communicate(timeout=100)[0] for maker in makers}
    assert len(said) == 1
    assert len(list(folder.iterdir())) == 2


def test_a_rotated_key_signs_and_the_one_before_still_verifies(tmp_path: Path) -> None:
    before = signer(tmp_path)
    signature = before.sign(b"content")
    private = (tmp_path / "signing.pem").read_bytes()
    after = rotate(tmp_path)
    assert after.public != before.public
    assert signer(tmp_path).public == after.public
    assert own(tmp_path) == [before.public, after.public]
    assert own(tmp_path)[0].verifies(signature, b"content")
    assert all(path.read_bytes() != private for path in tmp_path.iterdir())


def test_a_key_that_others_may_read_does_not_sign(tmp_path: Path) -> None:
    signer(tmp_path)
    (tmp_path / "signing.pem").chmod(0o640)
    with pytest.raises(SettingsError, match=r"may be read by others; run 'chmod 600"):
        signer(tmp_path)


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, password: bytes = b"") -> bytes:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no private key"),
        (_pem(ec.generate_private_key(ec.SECP256R1()), b"secret"), "without a password"),
        (_pem(ed25519.Ed25519PrivateKey.generate()), "is none on the curve"),
        (_pem(ec.generate_private_key(ec.SECP256K1())), "is none on the curve"),
    ],
)
def test_what_is_no_private_key_is_said_to_be_none(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=sentence):
        signer_from(path)


def test_what_is_no_public_key_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "key.pub"
    with pytest.raises(SettingsError, match="cannot be read"):
        public(path)
    for content in (b"", b"\xff", _pem(ec.generate_private_key(ec.SECP256R1()))):
        path.write_bytes(content)
        with pytest.raises(SettingsError, match="holds no public key"):
            public(path)
