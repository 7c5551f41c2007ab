"""``keys``: who signs here, and whose signatures count where."""

from __future__ import annotations

from pathlib import Path

import msgspec

from modelyard.errors import Misuse, StoreDown
from modelyard.project import Project, fresh


class Key(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    signs: bool = False
    """The one that signs here."""
    own: bool = False
    """Made on this machine."""
    trusted: tuple[str, ...] = ()
    """Environments in which its signatures count."""
    revoked: bool = False


def keys(project: Project) -> list[Key]:
    """Every key that is trusted somewhere or was made here; the one that signs first. None is made by looking."""
    from modelyard.signing import PublicKey, own
    from modelyard.signing.statement import revoked

    mine = {key.id for key in own(project.keys)}
    here = project.trust()
    active = _active(project)
    where: dict[str, list[str]] = {key: [] for key in ([active] if active else []) + sorted(mine)}
    for pem in here.keys:
        where.setdefault(PublicKey(pem).id, [])
    for environment in project.settings.environments:
        for pem in project.trust(environment).keys:
            where.setdefault(PublicKey(pem).id, []).append(environment)
    return [
        Key(id=key, signs=key == active, own=key in mine, trusted=tuple(places), revoked=revoked(key, here))
        for key, places in where.items()
    ]


def rotate(project: Project) -> Key:
    """A new key signs from now on, on record; what was signed before still verifies, until its key is revoked."""
    from modelyard.signing import rotate as renew

    if project.settings.signing.key:
        raise Misuse("'signing.key' names the key that signs here; put another file in its place.")
    before, key = _active(project) or "", renew(project.keys).public.id
    project.yard.once(
        fresh("keys"),
        project.actor,
        lambda facts: facts.events.append("key.rotated", key[:16], key=key, before=before),
        type(None),
    )
    return next(found for found in keys(project) if found.id == key)


def export(project: Project, path: Path) -> str:
    """Write the public half of the key that signs here to ``path``; its id."""
    key = project.signer().public
    if path.exists():
        raise Misuse(f"{path} is there already; name a file that is not.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(key.pem)
    except OSError as error:
        raise StoreDown(f"The public key could not be written to {path}: {error.strerror}.") from None
    return key.id


def _active(project: Project) -> str | None:
    from modelyard.signing import signer_from
    from modelyard.signing.keys import PRIVATE

    if project.settings.signing.key:
        return project.signer().public.id
    path = project.keys / PRIVATE
    return signer_from(path).public.id if path.exists() else None
