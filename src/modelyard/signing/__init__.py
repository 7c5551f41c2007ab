"""Keys, DSSE envelopes and OpenSSF model signatures; nothing here goes on the network (floor 1)."""

from __future__ import annotations

from modelyard.signing.files import sign_files, signed_files
from modelyard.signing.keys import PublicKey, Signer, own, public, rotate, signer, signer_from
from modelyard.signing.statement import SIGNED, Statement, attest, attested

__all__ = [
    "SIGNED",
    "PublicKey",
    "Signer",
    "Statement",
    "attest",
    "attested",
    "own",
    "public",
    "rotate",
    "sign_files",
    "signed_files",
    "signer",
    "signer_from",
]
