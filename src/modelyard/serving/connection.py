"""One client's connection: framing, order of replies, and its bounds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from modelyard.serving.limits import Limits
from modelyard.serving.reply import Frames
from modelyard.serving.route import Entry
from modelyard.wire.heads import Head, Messages, body_too_large, expanded, head_too_large
from modelyard.wire.problem import Problem
from modelyard.wire.reading import JSON, Framed, Reading

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_END = b"\r\n\r\n"


class Host(Protocol):
    """What a connection asks of the service behind it."""

    limits: Limits
    heads: dict[bytes, Entry]
    connections: set[Connection]
    frames: Frames
    draining: bool
    unknown: Entry
    now: Callable[[], float]

    def entry(self, head: bytes) -> Entry | None: ...
    def resolve(self, head: Head) -> Entry: ...
    def framed(self, entry: Entry, framed: Framed) -> bytes: ...
    def streaming(self, entry: Entry, kind: bytes) -> bytes: ...
    def refusal(self, entry: Entry, problem: Problem) -> bytes: ...
    def watched(self, connection: Connection, entry: Entry, body: bytes) -> Slot: ...


class Slot:
    """One request's place in its connection's order of replies."""

    __slots__ = ("body", "client_id", "connection", "entry", "reply", "size")
    parts = None

    def __init__(self, connection: Connection, entry: Entry, body: bytes) -> None:
        self.connection = connection
        self.entry = entry
        self.body: bytes | Reading = body
        self.size = len(body)
        self.client_id = entry.known_as
        self.reply: bytes | None = None

    @property
    def gone(self) -> bool:
        """Whether nobody waits any more: answered already, or the client went."""
        return self.reply is not None or self.connection.transport.is_closing()

    def answered(self, body: bytes) -> None:
        """Answer in JSON."""
        service = self.connection.service
        if self.entry.steady and not service.draining:
            self.reply = service.frames.steady % (len(body), body)
        else:
            self.reply = service.framed(self.entry, Framed(body))

    def replied(self, framed: Framed) -> None:
        """Answer in a form of its own."""
        if framed.kind is JSON and not framed.headers:
            self.answered(framed.body)
        else:
            self.reply = self.connection.service.framed(self.entry, framed)

    def refused(self, problem: Problem) -> None:
        self.reply = self.connection.service.refusal(self.entry, problem)
        self.body = b""  # the reply may wait long for its turn; the body has no use any more

    def send(self) -> None:
        self.connection.send()


class Connection(asyncio.Protocol):
    """A steady connection frames by remembered heads; anything odd moves it to the strict parser for good.

    There may be a hundred thousand that only wait, so none has more than it needs.
    """

    __slots__ = (
        "_blocked",
        "_deaf",
        "_full",
        "_have",
        "_last",
        "_lost",
        "_need",
        "_refused",
        "_rest",
        "_since",
        "_stream",
        "_until",
        "_waiting",
        "service",
        "slots",
        "transport",
    )

    def __init__(self, service: Host) -> None:
        self.service = service
        self.transport: asyncio.Transport
        self.slots: list[Slot] = []
        self._rest: list[bytes] = []
        self._have = 0
        self._need = 0
        self._stream: Messages | None = None
        self._waiting: deque[tuple[Head, bytes]] | tuple[()] = ()
        self._lost: Problem | None = None
        self._deaf = False
        self._refused = False
        self._full = False
        self._blocked = False
        self._since = 0.0
        self._last = 0.0
        self._until = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._last = self.service.now()
        self.service.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._deaf = True
        self.slots.clear()
        self._waiting = ()
        self.service.connections.discard(self)
        if self._stream is not None:
            self._stream.let_go()
            self._stream = None

    def eof_received(self) -> bool:
        """A half-closed client still gets its replies; one without any is done."""
        if not self.slots or self._until:
            return False
        self._deaf = True
        self.slots[-1].entry = self.slots[-1].entry.closing()
        return True

    def data_received(self, data: bytes) -> None:
        if self._have or self.slots or self._deaf or self._stream is not None:
            self._received(data)
            return
        service = self.service
        stop = data.find(_END) + 4
        entry = service.heads.get(data[:stop])
        if entry is None or not entry.plain or stop + entry.length != len(data):
            self._received(data)
            return
        # one whole request whose head is remembered, and no other under way: what follows is the rest, shortened
        self._last = service.now()
        slot = Slot(self, entry, data[stop:])
        self.slots.append(slot)
        self._act(slot)
        if slot.reply is not None:
            self.send()

    def _received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._last = self.service.now()
        if self._stream is not None:
            self._strict(data)
        else:
            self._have += len(data)
            if self._have < self._need:
                self._rest.append(data)
                return
            if self._rest:
                self._rest.append(data)
                data = b"".join(self._rest)
                self._rest.clear()
            self._steady(data)
        slots = self.slots
        if slots:
            if slots[0].reply is not None:
                self.send()
            if not self._full and (len(slots) > self.service.limits.pipelined or self._waiting):
                self._full = True
                self.transport.pause_reading()

    def _steady(self, data: bytes) -> None:
        at, end = 0, len(data)
        known = self.service.heads
        limits = self.service.limits
        need = 0
        while at < end:
            stop = data.find(_END, at) + 4
            if stop == 3:
                if end - at > limits.head:
                    return self._refuse(head_too_large(limits.head))
                break
            head = data[at:stop]
            entry = known.get(head)
            if entry is None:
                if stop - at > limits.head:
                    return self._refuse(head_too_large(limits.head))
                try:
                    entry = self.service.entry(head)
                except Problem as problem:
                    return self._refuse(problem)
                if entry is None:
                    self._stream = Messages(head=limits.head, body=limits.body)
                    self._have = self._need = 0
                    self._since = 0.0
                    return self._strict(data[at:])
            if entry.length > limits.body:
                return self._refuse(body_too_large(limits.body), entry)
            total = stop + entry.length
            if total > end:
                need = total - at
                break
            self._take(entry, data[stop:total] if entry.length else b"")
            at = total
            self._since = 0.0
            if self._deaf:
                return None
        self._need = need
        if at < end:
            self._rest.append(data[at:] if at else data)
            self._have = end - at
            self._since = self._since or self._last
        else:
            self._have = 0
        return None

    def _strict(self, data: bytes) -> None:
        stream = self._stream
        assert stream is not None
        try:
            messages = stream.feed(data)
        except Problem as raised:
            messages, self._lost = stream.ready(), raised
        if messages:
            self._since = 0.0
            self._waiting = deque((*self._waiting, *messages))
        self._go_on()
        if stream.busy and not self._deaf:
            self._since = self._since or self._last
            if stream.wants_continue:
                stream.wants_continue = False
                self.transport.write(_CONTINUE)

    def _go_on(self) -> None:
        """Take messages as long as the bodies that wait for an answer are no larger than one may be.

        What one read brings in may be a thousand times larger when it is expanded.
        """
        limit = self.service.limits.body
        held = sum(len(slot.body) for slot in self.slots if isinstance(slot.body, bytes))
        while self._waiting and not self._deaf and held < limit:
            head, packed = self._waiting.popleft()
            try:
                body = expanded(head, packed, limit)
                held += max(len(body), len(packed))
                self._take(self.service.resolve(head), body)
            except Problem as problem:
                self._refuse(problem)
        if self._lost is not None and not self._waiting and not self._deaf:
            self._refuse(self._lost)

    def _again(self) -> None:
        if self._deaf:
            return
        self._go_on()
        if self.slots and self.slots[0].reply is not None:
            self.send()

    def _take(self, entry: Entry, body: bytes) -> None:
        slot = Slot(self, entry, body) if entry.seen is None else self.service.watched(self, entry, body)
        self.slots.append(slot)
        if not entry.steady and not entry.keep_alive:
            self._deaf = True
        self._act(slot)

    @staticmethod
    def _act(slot: Slot) -> None:
        try:
            slot.entry.act(slot)
        except Problem as problem:
            slot.refused(problem)
        except Exception as error:
            slot.refused(Problem(500, f"The service failed: {type(error).__name__}: {error}"))

    def _refuse(self, problem: Problem, entry: Entry | None = None) -> None:
        """Answer in turn, read no more as requests, and close."""
        entry = (entry or self.service.unknown).closing()
        slot = Slot(self, entry, b"")
        slot.refused(problem)
        self.slots.append(slot)
        self._deaf = self._refused = True
        self._rest.clear()
        self.send()

    def send(self) -> None:
        """Write what is ready, in the order of the requests; one write."""
        slots = self.slots
        if not slots or slots[0].reply is None:
            return
        first = slots.pop(0)
        out = first.reply
        assert out is not None
        last = first
        if slots and slots[0].reply is not None:
            parts = [out]
            while slots and slots[0].reply is not None and last.entry.keep_alive:
                last = slots.pop(0)
                assert last.reply is not None
                parts.append(last.reply)
            out = b"".join(parts)
        self.transport.write(out)
        if not last.entry.keep_alive or (self.service.draining and not slots):
            self._end()
        elif self._waiting:
            asyncio.get_running_loop().call_soon(self._again)
        elif self._full and not self._blocked and len(slots) <= self.service.limits.pipelined // 2:
            self._full = False
            self.transport.resume_reading()

    def _end(self) -> None:
        """Close; a sender that was refused may still be writing, so it is read on for a while."""
        self._deaf = True
        self.slots.clear()
        self._waiting = ()
        if self._refused and self.transport.can_write_eof():
            self._until = self.service.now() + self.service.limits.linger_seconds
            self.transport.write_eof()
        else:
            self.transport.close()

    @property
    def blocked(self) -> bool:
        """Whether the client does not read what was written."""
        return self._blocked

    def pause_writing(self) -> None:
        self._blocked = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._blocked = False
        self._last = self.service.now()
        if not self._full and not self._deaf:
            self.transport.resume_reading()

    def sweep(self, now: float) -> None:
        """Close what is too slow, idle, or done."""
        limits = self.service.limits
        if self._until:
            if now > self._until:
                self.transport.abort()
        elif self._blocked:
            if now - self._last > limits.send_seconds:
                self.transport.abort()
        elif self._since and now - self._since > limits.send_seconds:
            seconds = f"{limits.send_seconds:g}"
            self._refuse(Problem(408, f"The request did not arrive within {seconds} s.", close=True))
        elif not self.slots and not self._since and now - self._last > limits.idle_seconds:
            self.transport.close()

    def drain(self) -> None:
        """Close as soon as nothing is owed."""
        if not self.slots and not self._waiting and not self._since:
            self.transport.close()
