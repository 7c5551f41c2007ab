"""The audit chain: events in the database, each bound to the one before, and their verification.

The chained record of an event is ``{seq, ts, actor, action, object, payload_sha256, prev}``;
``prev`` is the sha256 of the canonical bytes of the record before, 64 zeros for the first.
"""

from __future__ import annotations

import builtins
import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from modelyard.errors import AuditBroken
from modelyard.ports import Yard
from modelyard.records.event import Event, Wanted
from modelyard.storage import checkpoint as checkpoints
from modelyard.storage.canonical import canonical, sha256
from modelyard.storage.schema import events
from modelyard.storage.transaction import Transaction

GENESIS = "0" * 64


class SqlEvents:
    """What is appended waits for ``seal``, so that the chain's head is read last in a transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._pending: builtins.list[tuple[str, str, str, bytes]] = []
        self.appended: builtins.list[tuple[str, str, Mapping[str, str | int]]] = []
        """Action, object and payload of what was appended in this transaction."""
        self.stamp: dict[str, str] = {}
        """What every payload gets besides."""

    def append(self, action: str, object: str, **payload: str | int) -> None:
        self._transaction.writable()
        moment = _written(self._transaction.clock())
        self._pending.append((moment, action, object, canonical(payload | self.stamp)))
        self.appended.append((action, object, payload))

    def newest(self) -> Event | None:
        self.seal()
        return self._stored()

    def list(
        self,
        *,
        after: int = 0,
        limit: int | None = None,
        wanted: Wanted | None = None,
        last: int | None = None,
    ) -> builtins.list[Event]:
        """Raises ``AuditBroken`` for a row that was not written by ``append``."""
        self.seal()
        query = sa.select(events).where(events.c.seq > after).order_by(events.c.seq).limit(limit)
        if wanted is not None:
            query = query.where(*_conditions(wanted))
        if last is None:
            return [_event(row) for row in self._transaction.query(query)]
        newest = query.order_by(None).order_by(events.c.seq.desc()).limit(last)
        return [_event(row) for row in reversed(self._transaction.query(newest).all())]

    def head(self) -> checkpoints.Checkpoint:
        """The chain as it is stored."""
        newest = self._stored()
        return checkpoints.Checkpoint(
            size=newest.seq if newest else 0, root=_root(newest) if newest else GENESIS
        )

    def _stored(self) -> Event | None:
        newest = self._transaction.query(_NEWEST).first()
        return _event(newest) if newest else None

    def seal(self) -> checkpoints.Checkpoint | None:
        """Write what was appended; the chain's size and root after it, None when nothing was."""
        if not self._pending:
            return None
        actor = self._transaction.writable()
        head = self.head()
        seq, root = head.size, head.root
        rows: builtins.list[dict[str, str | int]] = []
        for moment, action, object_, payload in self._pending:
            seq += 1
            record: dict[str, str | int] = {
                "seq": seq,
                "ts": moment,
                "actor": actor,
                "action": action,
                "object": object_,
                "payload_sha256": _digest(payload),
                "prev": root,
            }
            root = sha256(record)
            rows.append({**record, "payload": payload.decode()})
        self._transaction.insert_all(events, rows)
        self._pending.clear()
        return checkpoints.Checkpoint(size=seq, root=root)


_NEWEST = sa.select(events).order_by(events.c.seq.desc()).limit(1)


def line(event: Event) -> bytes:
    """The event as JSON: what is hashed as it is hashed, and the payload beside it."""
    return msgspec.json.encode({**_record(event), "payload": event.payload})


def head(yard: Yard) -> tuple[int, str]:
    """The chain's size, and the sha256 of its last record."""
    with yard.read() as facts:
        newest = facts.events.newest()
    return (newest.seq, _root(newest)) if newest else (0, GENESIS)


def verify(yard: Yard, checkpoint: Path | None = None, *, also: Sequence[checkpoints.Checkpoint] = ()) -> int:
    """How many events the chain holds, every one as it was written.

    ``checkpoint`` is the file of checkpoints; by default the one that the yard keeps beside its
    database. It is held against those of ``also`` as well, which were kept elsewhere. Raises ``AuditBroken`` naming the first record that was edited, deleted, inserted or
    moved. A chain that was cut or written anew as a whole is found by checkpoints only, and whoever
    can write database and file can still rewrite both: those kept elsewhere tell.
    """
    where: Path | None = checkpoint or getattr(yard, "checkpoint", None)
    # The file first: a chain that grows meanwhile is no contradiction, one that shrinks is.
    known = checkpoints.read(where) if where else []
    with yard.read() as facts:
        chain = facts.events.list()
    if known is None:
        if chain:
            raise AuditBroken(
                f"The audit checkpoints {where} are gone while the chain holds {len(chain)} events, so nobody "
                "can tell whether it was cut; put the file back from a copy, or begin an empty one once you "
                "have compared the chain with a copy of the database."
            )
        known = []
    return verify_chain(chain, [*also, *known])


def verify_chain(chain: Sequence[Event], known: Sequence[checkpoints.Checkpoint] = ()) -> int:
    """The same for events and checkpoints in hand."""
    roots: dict[int, str] = {}
    for vouched in known:
        # The first word on a size counts: a chain that was cut and grew again contradicts it.
        roots.setdefault(vouched.size, vouched.root)
    before = [GENESIS]
    for position, event in enumerate(chain, 1):
        if event.seq != position:
            what = "is missing" if event.seq > position else f"stands where record {position} was"
            raise _broken(position if event.seq > position else event.seq, what)
        if _digest(canonical(event.payload)) != event.payload_sha256:
            raise _broken(position, "does not match its payload's digest: it was edited")
        if event.prev != before[-1]:
            raise _broken(*_culprit(chain, position, before, roots))
        before.append(_root(event))
        if roots.get(position, before[-1]) != before[-1]:
            raise _broken(position, "is not the one of which the checkpoint was taken: it was rewritten")
    if roots and max(roots) > len(chain):
        raise _broken(
            len(chain) + 1, f"is missing and so are all after it: the chain was {max(roots)} long and was cut"
        )
    return len(chain)


def _conditions(wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.since is not None:
        yield events.c.ts >= _written(wanted.since)
    if wanted.until is not None:
        yield events.c.ts < _written(wanted.until)
    if wanted.actor:
        yield events.c.actor == wanted.actor
    for column, name, sign in ((events.c.action, wanted.action, "."), (events.c.object, wanted.object, "@")):
        if name:
            yield (column == name) | column.startswith(f"{name}{sign}", autoescape=True)


def _culprit(
    chain: Sequence[Event], position: int, before: Sequence[str], roots: Mapping[int, str]
) -> tuple[int, str]:
    """Who is to blame that record ``position`` does not point at the one before it.

    Either it is the record before that was changed or put in, or this one. A checkpoint tells;
    without one, what the record before that and the record after this one say.
    """
    event, root = chain[position - 1], _root(chain[position - 1])
    if position > 1 and position - 1 not in roots:
        if event.prev == before[-2]:
            return position - 1, "was inserted"
        if position == len(chain) or chain[position].prev == root or roots.get(position) == root:
            return position - 1, "is not the one that its successor was chained to: it was edited"
    return (
        position,
        "is not chained to the one before: it was edited, inserted, moved, or follows a deleted one",
    )


def _broken(record: int, what: str) -> AuditBroken:
    return AuditBroken(
        f"The audit chain is broken: record {record} {what}; compare with a copy of the database "
        "and find out who could write to it."
    )


def _root(event: Event) -> str:
    return sha256(_record(event))


def _record(event: Event) -> dict[str, str | int]:
    return {
        "seq": event.seq,
        "ts": _written(event.ts),
        "actor": event.actor,
        "action": event.action,
        "object": event.object,
        "payload_sha256": event.payload_sha256,
        "prev": event.prev,
    }


def _event(found: sa.Row[Any]) -> Event:
    """The row as an event, refused when one byte of it is not as ``append`` writes it."""
    row = {str(name): value for name, value in found._mapping.items()}
    try:
        event = msgspec.convert({**row, "payload": msgspec.json.decode(row["payload"])}, Event)
        as_written = _written(event.ts) == row["ts"] and canonical(event.payload) == row["payload"].encode()
    except (msgspec.MsgspecError, ValueError, TypeError, AttributeError):
        as_written = False
    if not as_written:
        raise _broken(row["seq"], "is not as it was written: it was edited")
    return event


def _written(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()
