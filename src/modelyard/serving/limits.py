"""The bounds of every request, and of what waits."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    head: int = 16 * 1024
    body: int = 8 * 1024 * 1024
    rows: int = 10_000
    pending: int = 4096
    """Requests of one model that may wait for an answer in one worker; the next gets 429."""
    pending_bytes: int = 64 * 1024 * 1024
    turn: int = 256
    """Requests answered by one model call."""
    turn_bytes: int = 2 * 1024 * 1024
    """Bodies decoded by one turn; one larger body still makes a turn of its own."""
    large: int = 128 * 1024
    """Bytes of a body from which it is answered part by part beside the turns, so that no small one waits for it."""
    large_pending: int = 32
    part: int = 512
    """Rows of a part."""
    pipelined: int = 256
    """Requests of one connection that may wait; then its reading pauses."""
    send_seconds: float = 30.0
    """From a request's first byte to its last."""
    answer_seconds: float = 20.0
    """What a native model may take for one turn; then its worker gives way to another."""
    idle_seconds: float = 75.0
    linger_seconds: float = 2.0
    """How long a refused sender is read on, so that it sees the refusal."""
    drain_seconds: float = 8.0
    sweep_seconds: float = 0.5
    count_seconds: float = 60.0
    """How often what was counted goes on record."""
