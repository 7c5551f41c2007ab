"""A service's certificate, renewed while it answers."""

from __future__ import annotations

import ssl
from pathlib import Path

from modelyard.errors import SettingsError
from modelyard.records.service import Tls


class Certificate:
    """``context`` is what connections are accepted with; new ones show the newest certificate."""

    def __init__(self, tls: Tls) -> None:
        """Raises ``SettingsError`` when the files cannot be used."""
        self._tls = tls
        self._stamp = self._look()
        self.context = _context(tls)
        self._pems = _read(tls)

    @property
    def clients(self) -> bool:
        """Whether clients show a certificate too."""
        return self._tls.clients is not None

    def follow(self, tls: Tls) -> None:
        """The files are these from now on; ``renew`` takes them."""
        if tls != self._tls:
            self._tls, self._stamp = tls, None

    def renew(self) -> str | None:
        """Take files that changed; what is wrong with them, where something is. The certificate before it stays then."""
        tls, stamp = self._tls, self._look()
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            _context(tls)
            self.context.load_cert_chain(tls.certificate, tls.key, _no_passphrase)
            self._pems = _read(tls)
        except (SettingsError, OSError, ValueError) as error:
            return f"{str(error).rstrip('.')}. The certificate before it stays."
        return None

    def pems(self) -> tuple[bytes, bytes, bytes | None]:
        """Key, certificates, and the authorities of clients, as they were read last."""
        return self._pems

    def _look(self) -> object:
        tls = self._tls
        try:
            found = [Path(path).stat() for path in (tls.certificate, tls.key)]
        except OSError:
            return ()
        return [(stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in found]


def _read(tls: Tls) -> tuple[bytes, bytes, bytes | None]:
    clients = Path(tls.clients).read_bytes() if tls.clients else None
    return Path(tls.key).read_bytes(), Path(tls.certificate).read_bytes(), clients


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    for path in (tls.certificate, tls.key, *([tls.clients] if tls.clients else ())):
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise SettingsError(f"tls: {path} cannot be read: {error.strerror}.") from None
    try:
        context.load_cert_chain(tls.certificate, tls.key, _no_passphrase)
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(
            f"tls: {tls.certificate} and {tls.key} are no certificate and its private key without a passphrase: "
            f"{_reason(error)}."
        ) from None
    if tls.clients:
        try:
            context.load_verify_locations(tls.clients)
        except ssl.SSLError as error:
            raise SettingsError(f"tls: {tls.clients} holds no certificates: {_reason(error)}.") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)
