"""Tokens that an identity provider signed (extra ``jwt``)."""

from __future__ import annotations

import importlib
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from modelyard.errors import ExtraMissing, SettingsError
from modelyard.records.service import Jwt
from modelyard.serving.sockets import is_loopback

LONGEST = 8192
"""Characters of a token."""
_LARGEST = 1 << 20
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""All asymmetric: a public key must never be taken for a shared secret."""
_LEEWAY = 30
"""Seconds that clocks may differ."""
_FETCH = 5.0
_LOOK_AT_FILE, _LOOK_AT_ADDRESS, _LOOK_SOONEST = 2.0, 600.0, 10.0


class Refused(Exception):
    """Why a token does not count."""


class Bearers:
    """Reads tokens by the keys of the provider, which a thread looks at again."""

    def __init__(self, jwt: Jwt) -> None:
        """``ExtraMissing``; ``SettingsError`` when there are no keys."""
        try:
            self._jwt: Any = importlib.import_module("jwt")
        except ImportError:
            raise ExtraMissing("To accept JWT install 'pyjwt': pip install 'modelyard[jwt]'.") from None
        self.settings = jwt
        self._remote = "://" in jwt.keys
        self._content = self._read()
        self._keys = self._parsed(self._content)
        self._wanted = threading.Event()
        self._closed = False
        self._changed: Callable[[], None] = lambda: None

    def watch(self, changed: Callable[[], None]) -> None:
        """Look for new keys from now on; ``changed`` is called, in a thread, when there are some."""
        self._changed = changed
        threading.Thread(target=self._renew, name="jwks", daemon=True).start()

    def close(self) -> None:
        self._closed = True
        self._wanted.set()

    def read(self, token: str) -> tuple[str, float]:
        """Whose it is, and until when (seconds since 1970); ``Refused``."""
        if len(token) > LONGEST:
            raise Refused(f"the token has more than {LONGEST} characters")
        try:
            header = self._jwt.get_unverified_header(token)
            claims: dict[str, Any] = self._jwt.decode(
                token,
                self._key(header.get("kid")),
                algorithms=_ALGORITHMS,
                audience=self.settings.audience,
                issuer=self.settings.issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (self._jwt.PyJWTError, ValueError, TypeError) as error:
            raise Refused(str(error)[:200].rstrip(".")) from None
        wanted = self.settings.scope
        told = claims.get("scope", claims.get("scp", ""))
        scopes = told.split() if isinstance(told, str) else told if isinstance(told, list) else []
        if wanted and wanted not in scopes:
            raise Refused(f"its scope lacks '{wanted}'")
        return str(claims["sub"]), float(claims["exp"]) + _LEEWAY

    def _key(self, kid: object) -> Any:
        keys = self._keys
        if kid is None and len(keys) == 1:
            return next(iter(keys.values()))
        found = keys.get(str(kid))
        if found is None:
            self._wanted.set()
            raise Refused("it is signed by a key that is not among the provider's")
        return found

    def _renew(self) -> None:
        while not self._closed:
            looked = time.monotonic()
            if self._wanted.wait(_LOOK_AT_ADDRESS if self._remote else _LOOK_AT_FILE) and self._remote:
                time.sleep(max(0.0, looked + _LOOK_SOONEST - time.monotonic()))
            self._wanted.clear()
            try:
                content = self._read()
                if content != self._content and not self._closed:
                    self._keys, self._content = self._parsed(content), content
                    self._changed()
            except SettingsError:
                continue  # the keys before it stay; the provider may be back the next time

    def _read(self) -> bytes:
        where = self.settings.keys
        try:
            if not self._remote:
                return Path(where).read_bytes()
            parts = urlsplit(where)
            if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
                raise SettingsError(
                    f"jwt.keys: {where} is not fetched without TLS; give an https:// address."
                )
            with _OPENER.open(urllib.request.Request(where), timeout=_FETCH) as reply:
                content: bytes = reply.read(_LARGEST + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
            raise SettingsError(f"jwt.keys: {where} cannot be read: {reason}.") from None
        if len(content) > _LARGEST:
            raise SettingsError(f"jwt.keys: {where} has more than {_LARGEST} bytes.")
        return content

    def _parsed(self, content: bytes) -> dict[str, Any]:
        try:
            found = self._jwt.PyJWKSet.from_json(content.decode())
        except (self._jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise SettingsError(f"jwt.keys: {self.settings.keys} is no JWKS: {str(error)[:200]}.") from None
        keys = {str(key.key_id): key for key in found if key.key_type in ("RSA", "EC", "OKP")}
        if not keys:
            raise SettingsError(f"jwt.keys: {self.settings.keys} has no public key in it.")
        return keys


class _Stay(urllib.request.HTTPRedirectHandler):
    """Keys come from where the settings say, or not at all."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_Stay)
