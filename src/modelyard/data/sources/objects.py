"""Objects in ``s3://``, ``gs://`` and ``az://``: one, those under a prefix, those of a glob."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modelyard.data.sources.extra import needs
from modelyard.data.sources.listing import like, scheme_of
from modelyard.data.sources.secret import Filled, fill
from modelyard.data.sources.staged import Place
from modelyard.errors import DataRefused, SettingsError, SourceDown, SourceMissing
from modelyard.records.dataset import SourceFile
from modelyard.settings import SourceSettings
from modelyard.settings.addresses import public

_STORES = {"s3": "S3Store", "gs": "GCSStore", "az": "AzureStore"}
_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3")
_PUBLIC = ("endpoint", "base_url", "region", "account_name")


def fingerprint(source: SourceSettings, root: Path) -> tuple[SourceFile, ...]:
    """By the ETags that the store lists."""
    where = _Bucket(source, root)
    return tuple(where.file(found) for found in where.find())


def fetch(source: SourceSettings, place: Place) -> Iterator[tuple[Path, str]]:
    """Each object as a file and its origin, one after the other.

    Raises ``SourceMissing`` for an object or prefix that is not there, ``DataRefused`` where the
    credentials do not suffice or there is more than ``limit_gb``, ``SourceDown`` when the store fails.
    """
    where = _Bucket(source, place.root)
    found = where.find()
    if sum(one["size"] for one in found) > source.limit_gb * 1e9:
        raise DataRefused(
            f"{where.origin} is larger than {source.limit_gb:g} GB; raise 'limit_gb' if it should be."
        )
    for one in found:
        target = place.new(Path(one["path"]).name)
        where.copy(one, target)
        yield target, where.file(one).path


def put(url: str, file: Path, root: Path) -> None:
    """Store a file as the object at ``url``, in the place of one that is there; whole or not at all.

    Raises ``DataRefused`` where the credentials do not suffice, ``SourceDown`` when the store fails.
    """
    _Bucket(SourceSettings(url=url), root).store(file)


class _Bucket:
    def __init__(self, source: SourceSettings, root: Path) -> None:
        self._obstore: Any = needs("obstore", "yard", "object stores")
        stores: Any = needs("obstore.store", "yard", "object stores")
        self.origin = public(source.url or "")
        filled = fill(source.url or "", root)
        options = {name: fill(value, root, url=False) for name, value in source.options.items()}
        secret = [Filled("", (v.text,)) for n, v in options.items() if n not in _PUBLIC]
        self._said = filled.with_(*options.values(), *secret)
        scheme = scheme_of(filled.text)
        self._bucket, _, self._key = filled.text.partition("://")[2].partition("/")
        self._scheme = scheme
        if not self._bucket:
            raise SettingsError(f"The address '{self.origin}' names no bucket; write {scheme}://BUCKET/KEY.")
        given = {name: value.text for name, value in options.items()}
        client: dict[str, Any] = {"timeout": dt.timedelta(seconds=source.timeout)}
        endpoints = [*given.values(), *(os.environ.get(name, "") for name in _ENDPOINTS)]
        if any(value.startswith("http://") for value in endpoints):
            client["allow_http"] = True
        retry = {"max_retries": 3, "retry_timeout": dt.timedelta(seconds=source.timeout)}
        with self._named():
            try:
                store = getattr(stores, _STORES[scheme])
                self._store = store(self._bucket, config=given, client_options=client, retry_config=retry)
            except self._obstore.exceptions.UnknownConfigurationKeyError:
                raise SettingsError(
                    f"'options' of '{self.origin}' hold a name that {scheme} does not know: {', '.join(given)}."
                ) from None

    def find(self) -> list[Any]:
        """What the store says of each object that is meant, sorted by key."""
        with self._named():
            if any(mark in self._key for mark in "*?"):
                return self._listed(self._key, "No object matches")
            if self._key and not self._key.endswith("/"):
                try:
                    return [self._obstore.head(self._store, self._key)]
                except (FileNotFoundError, self._obstore.exceptions.NotFoundError):
                    pass
            folder = self._key.rstrip("/") + "/" if self._key else ""
            return self._listed(f"{folder}**", "There is no object at")

    def copy(self, found: Any, target: Path) -> None:
        """Raises ``SourceDown`` also when the object changed since it was listed."""
        with self._named(), target.open("wb") as out:
            options = {"if_match": found["e_tag"]} if found.get("e_tag") else {}
            held = 0
            for piece in self._obstore.get(self._store, found["path"], options=options).stream(
                min_chunk_size=2**22
            ):
                out.write(piece)
                held += len(piece)
            if held != found["size"]:
                raise SourceDown(
                    f"{self._address(found)} broke off at {held} of {found['size']} bytes; run it again."
                )

    def store(self, file: Path) -> None:
        with self._named("written"):
            self._obstore.put(self._store, self._key, file)

    def file(self, found: Any) -> SourceFile:
        mark = found.get("e_tag") or found.get("version") or str(found.get("last_modified"))
        return SourceFile(path=self._address(found), size=found["size"], sha256="", mark=f"ETag {mark}")

    def _address(self, found: Any) -> str:
        return f"{self._scheme}://{self._bucket}/{found['path']}"

    def _listed(self, glob: str, nothing: str) -> list[Any]:
        plain = glob[: min(glob.find(m) for m in "*?" if m in glob)]
        prefix = plain.rpartition("/")[0]
        pattern = like(glob)
        found = [
            one
            for page in self._obstore.list(self._store, prefix=prefix or None)
            for one in page
            if pattern.match(one["path"]) and not _hidden(one["path"][len(plain) :])
        ]
        if not found:
            raise SourceMissing(f"{nothing} '{self.origin}'; put one there or change 'source'.")
        return sorted(found, key=lambda one: str(one["path"]))

    @contextmanager
    def _named(self, verb: str = "read") -> Iterator[None]:
        """The store's errors as one sentence with our name of it, and no credentials."""
        exceptions = self._obstore.exceptions
        try:
            yield
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
            raise self._denied(verb) from None
        except (FileNotFoundError, exceptions.NotFoundError) as error:
            raise SourceMissing(
                f"There is nothing at {self.origin}: {self._said.hide(_first(error))}."
            ) from None
        except exceptions.PreconditionError:
            raise SourceDown(f"{self.origin} changed while it was read; run it again.") from None
        except exceptions.BaseError as error:
            if any(f"status code: {status} " in str(error) for status in (401, 403)):
                raise self._denied(verb) from None
            if "404 Not Found" in str(error):
                raise SourceMissing(f"There is no bucket for '{self.origin}'; change 'source'.") from None
            raise SourceDown(f"{self.origin} cannot be {verb}: {self._said.hide(_first(error))}.") from None

    def _denied(self, verb: str) -> DataRefused:
        return DataRefused(
            f"{self.origin} may not be {verb}; give credentials in the environment or in 'options' that may."
        )


def _hidden(path: str) -> bool:
    return any(part.startswith((".", "_")) for part in path.split("/")) or path.endswith("/")


def _first(error: BaseException) -> str:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return said.partition(": <?xml")[0].partition(": <!doctype")[0].rstrip(".")
