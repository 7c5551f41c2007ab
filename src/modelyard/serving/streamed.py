"""An answer that is sent while it is made: JSON lines or server-sent events, one native answer a part."""

from __future__ import annotations

from modelyard.serving.connection import Slot
from modelyard.wire.problem import Problem
from modelyard.wire.reading import Framed, Reading

LINES, EVENTS = "application/x-ndjson", "text/event-stream"
KINDS = frozenset({LINES, EVENTS})


class Streamed:
    """A request whose parts are answered as they are ready, in its place among its connection's replies."""

    def __init__(self, slot: Slot, kind: str) -> None:
        self._slot, self._kind = slot, kind
        self._begun = False
        self._held = b""
        self.body: bytes | Reading = slot.body
        self.client_id = slot.client_id
        self.size = slot.size

    @property
    def parts(self) -> Streamed:
        return self

    @property
    def gone(self) -> bool:
        return self._slot.gone

    @property
    def blocked(self) -> bool:
        """Whether the client reads more slowly than answers are made, or its turn has not come."""
        return self._slot.connection.blocked or len(self._held) > 2**20

    def part(self, body: bytes) -> None:
        line = b"data: " + body + b"\n\n" if self._kind == EVENTS else body + b"\n"
        self._say(b"%x\r\n%b\r\n" % (len(line), line))

    def end(self) -> None:
        self._slot.reply = self._held + b"0\r\n\r\n"
        self.send()

    def answered(self, body: bytes) -> None:
        self.part(body)
        self.end()

    def replied(self, framed: Framed) -> None:
        self.answered(framed.body)

    def refused(self, problem: Problem) -> None:
        """Before the first part an ordinary refusal; later the status is said, and the error is the last line."""
        if self._begun:
            self.part(problem.native())
            self.end()
        else:
            self._slot.refused(problem)

    def send(self) -> None:
        self._slot.send()

    def _say(self, content: bytes) -> None:
        connection = self._slot.connection
        if not self._begun:
            self._begun = True
            content = connection.service.streaming(self._slot.entry, self._kind.encode()) + content
        if connection.slots and connection.slots[0] is self._slot:
            connection.transport.write(self._held + content)
            self._held = b""
        else:
            self._held += content
