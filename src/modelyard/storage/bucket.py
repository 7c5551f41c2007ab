"""Object stores by address: ``s3://BUCKET/PREFIX``, ``gs://…``, ``az://…``.

Credentials, region and endpoint come from the environment under the names that the services' own tools use
(``AWS_ACCESS_KEY_ID``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, ``GOOGLE_APPLICATION_CREDENTIALS``, ``AZURE_STORAGE_ACCOUNT_NAME``, ...), or
from the machine's role.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modelyard.errors import SettingsError, StoreDown

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_SCHEMES = ("s3", "gs", "az")
_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_ENDPOINT", "GOOGLE_BASE_URL")
_TIMEOUT = dt.timedelta(seconds=60)


def is_bucket(location: str) -> bool:
    """Whether it is an object store's address; ``SettingsError`` for one that cannot be used."""
    scheme, mark, rest = location.partition("://")
    if not mark:
        return False
    if scheme not in _SCHEMES:
        raise SettingsError(
            f"'yard.artifacts': {scheme}:// is not known; give a folder, s3://BUCKET/PREFIX, gs://… or az://…."
        )
    if not rest.partition("/")[0] or set("@?#%") & set(rest):
        raise SettingsError(
            f"'yard.artifacts' names no bucket; write {scheme}://BUCKET/PREFIX, without credentials (they come from "
            "the environment)."
        )
    return True


def opened(address: str) -> ObjectStore:
    """The store; nothing is asked of it yet."""
    import obstore
    from obstore.store import from_url

    open_url: Any = from_url  # its types tell the services apart, which the address does here
    client: dict[str, Any] = {"timeout": _TIMEOUT}
    if any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS):
        client["allow_http"] = True
    retry: Any = {"max_retries": 4, "retry_timeout": _TIMEOUT}
    try:
        store: ObjectStore = open_url(address, client_options=client, retry_config=retry)
        return store
    except (obstore.exceptions.BaseError, ValueError) as error:
        raise SettingsError(f"'yard.artifacts': {address} cannot be opened: {_first_line(error)}.") from None


@contextlib.contextmanager
def explained(where: str) -> Iterator[None]:
    """``StoreDown`` for what the store's client raises; ``FileNotFoundError`` stays."""
    from obstore import exceptions

    try:
        yield
    except (FileNotFoundError, exceptions.NotFoundError, exceptions.AlreadyExistsError) as error:
        if "NoSuchBucket" in str(error) or "bucket does not exist" in str(error):
            raise StoreDown(f"{where} failed: the bucket is not there; make it or name another.") from None
        if isinstance(error, exceptions.NotFoundError):
            raise FileNotFoundError(str(error)) from None
        raise
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError):
        raise StoreDown(
            f"{where} refuses these credentials; give ones that may read, write and list there."
        ) from None
    except (exceptions.BaseError, OSError) as error:
        raise StoreDown(f"{where} failed: {_first_line(error)}; see to it and try again.") from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300].rstrip(".")
