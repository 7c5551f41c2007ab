"""One model's requests in one worker: all that one loop turn brought, answered by one model call."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter_ns, time
from typing import Any, Protocol

from modelyard.ports import PredictionSink
from modelyard.predictions.ids import Ids
from modelyard.predictor import Answers
from modelyard.serving import tell
from modelyard.serving.lane import Lane, LargeAsk, patience
from modelyard.serving.limits import Limits
from modelyard.serving.live import Live, Span
from modelyard.tables.batch import Batch
from modelyard.wire.problem import Problem
from modelyard.wire.reading import Given


class Ask(LargeAsk, Protocol):
    """A request that waits; ``answered`` is called once, in the loop."""


@dataclass(slots=True)
class _Turn:
    asks: list[Ask]
    live: Live
    key: int
    since: int
    marks: int = 0
    begun: int = 0
    """When its asks were read."""


_Outcome = tuple[Batch, list[Span], Answers | None]


class Queue:
    """Collects the asks of a turn and answers them; ``point`` changes the model between two turns.

    A compiled model answers in the loop. A native one answers in a thread of its own, one turn at a time, while
    the loop goes on and the next turn's asks collect. Large requests go to a lane beside the turns.
    """

    def __init__(
        self, live: Live, *, limits: Limits, ids: Ids, log: PredictionSink | None, loop: Any
    ) -> None:
        self._limits = limits
        self._ids = ids
        self._log = log
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._loop = loop
        self._large = limits.large
        self.lane = Lane(
            limits=limits,
            next_id=ids.next,
            log=log,
            pool=self._pool,
            loop=loop,
            live=lambda: (self.live, self._key),
        )
        self._pending: list[Ask] = []
        self._pending_bytes = 0
        self._since = 0
        self._running: _Turn | None = None
        self._scheduled = False
        self.stuck = False
        self.point(live)

    def point(self, live: Live) -> None:
        """From the next turn on, this model answers."""
        self.live = live
        self._key = self._log.begin(live.served, live.manifest) if self._log is not None else 0

    def put(self, ask: Ask) -> None:
        """Take part in the next turn; ``Problem`` 429 when too many wait already."""
        limits = self._limits
        if self.stuck:
            raise self._too_slow()
        if ask.size > self._large:
            self.lane.put(ask)
            return
        if len(self._pending) >= limits.pending or self._pending_bytes > limits.pending_bytes:
            self.live.tally.refused(429)
            raise Problem(
                429,
                f"{len(self._pending)} requests wait for {self.live.served.model} already: "
                "try again in a second.",
                headers=b"retry-after: 1\r\n",
            )
        if not self._pending:
            self._since = perf_counter_ns()
        self._pending.append(ask)
        self._pending_bytes += ask.size
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        if self._pending and not self._scheduled and self._running is None:
            self._scheduled = True
            self._loop.call_soon(self._begin)

    def _take(self) -> list[Ask]:
        pending, limits = self._pending, self._limits
        if len(pending) <= limits.turn and self._pending_bytes <= limits.turn_bytes:
            self._pending, self._pending_bytes = [], 0
            return pending
        taken = size = 0
        for ask in pending[: limits.turn]:
            size += ask.size
            if taken and size > limits.turn_bytes:
                break
            taken += 1
        self._pending = pending[taken:]
        self._pending_bytes = sum(ask.size for ask in self._pending)
        return pending[:taken]

    def _begin(self) -> None:
        self._scheduled = False
        turn = _Turn(self._take(), self.live, self._key, self._since, begun=perf_counter_ns())
        try:
            batch, spans, turn.marks = turn.live.read(
                [ask.body for ask in turn.asks], rows=self._limits.rows, size=self._limits.body
            )
            if turn.live.inline:
                self._finish(turn, turn.live.predict(batch, spans))
            else:
                self._running = turn
                future = self._pool.submit(turn.live.predict, batch, spans)
                future.add_done_callback(
                    lambda done: self._loop.call_soon_threadsafe(self._arrived, turn, done)
                )
        except Exception as error:
            self._running = None
            self._fail(turn, error)
        self._schedule()

    def sweep(self) -> None:
        """Refuse all who wait for a native model that takes too long: its call cannot be ended."""
        turn, now = self._running, perf_counter_ns()
        late = turn is not None and now - turn.begun > patience(turn.live, self._limits) * 1e9
        if not late and not self.lane.stuck(now):
            return
        self.stuck, self._running = True, None
        asks = [*(turn.asks if turn else ()), *self._pending]
        self._pending, self._pending_bytes = [], 0
        self.live.tally.refused(503, len(asks))
        for ask in asks:
            ask.refused(self._too_slow())
            ask.send()
        self.lane.refuse_all(self._too_slow())

    def close(self) -> None:
        """No turn begins any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _too_slow(self) -> Problem:
        seconds = f"{self._limits.answer_seconds:g}"
        return Problem(
            503,
            f"{self.live.served.model_id} did not answer within {seconds} s: try again in a second.",
            code="model_too_slow",
            headers=b"retry-after: 1\r\n",
        )

    def _arrived(self, turn: _Turn, done: Future[_Outcome]) -> None:
        if self._running is not turn:  # given up
            return
        self._running = None
        try:
            self._finish(turn, done.result())
        except Exception as error:
            self._fail(turn, error)
        self._schedule()

    def _finish(self, turn: _Turn, outcome: _Outcome) -> None:
        """Log, count, reply: in this order, so that nothing unlogged is ever seen."""
        batch, spans, answers = outcome
        good = [i for i, span in enumerate(spans) if type(span) is slice]
        ids = self._ids.some(len(good))
        if answers is not None and self._log is not None:
            try:
                self._write(turn, batch, spans, answers, good=good, ids=ids)
            except Exception as error:
                tell.say(f"{turn.live.served.model_id}: {error}", "error")
                problem = Problem(503, "The prediction could not be logged, so it is not given: try later.")
                spans = [problem if isinstance(s, slice) else s for s in spans]
                good, answers = [], None
        now = perf_counter_ns()
        turn.live.tally.add(
            answered=len(good),
            rows=len(batch) if answers is not None else 0,
            marks=turn.marks,
            nanoseconds=now - turn.since,
            busy=now - turn.begun,
            waiting=len(turn.asks),
        )
        if answers is not None:
            _reply(turn, spans, answers, good=good, ids=ids, single=len(batch) == len(good))
        if len(good) != len(turn.asks):
            for ask, span in zip(turn.asks, spans, strict=True):
                if isinstance(span, Problem):
                    turn.live.tally.refused(span.status)
                    ask.refused(span)
        for ask in turn.asks:
            ask.send()

    def _write(
        self,
        turn: _Turn,
        batch: Batch,
        spans: list[Span],
        answers: Answers,
        *,
        good: list[int],
        ids: list[bytes],
    ) -> None:
        assert self._log is not None
        single = len(batch) == len(good)
        client_ids = [turn.asks[i].client_id for i in good]
        self._log.write(
            turn.key,
            batch,
            answers,
            ids=ids,
            at=time(),
            latency=(perf_counter_ns() - turn.since) / 1e9,
            counts=None if single else [s.stop - s.start for s in spans if isinstance(s, slice)],
            client_ids=client_ids if any(client_ids) else None,
        )
        self._log.flush()

    def _fail(self, turn: _Turn, error: Exception) -> None:
        turn.live.tally.refused(500, len(turn.asks))
        problem = Problem(500, f"{turn.live.served.model_id} failed: {type(error).__name__}: {error}")
        for ask in turn.asks:
            ask.refused(problem)
            ask.send()


def _reply(
    turn: _Turn, spans: list[Span], answers: Answers, *, good: list[int], ids: list[bytes], single: bool
) -> None:
    """``single`` says that each request has one row: then their replies are written together."""
    prediction = answers.prediction.tolist()
    numbers = answers.probability if answers.quantiles is None else answers.quantiles
    beside = numbers.tolist() if numbers is not None else None
    replies = turn.live.replies
    together = single and isinstance(turn.asks[good[0]].body, bytes)
    written = replies.each(ids, prediction, beside) if together else None
    for at, (i, request_id) in enumerate(zip(good, ids, strict=True)):
        ask, span = turn.asks[i], spans[i]
        if isinstance(ask.body, bytes) and written is not None:
            ask.answered(written[at])
            continue
        predicted = prediction[span]
        along = beside[span] if beside is not None else None
        if isinstance(ask.body, bytes):
            ask.answered(replies.write(request_id, predicted, along))
        else:
            given = Given(turn.live.told, request_id.decode(), predicted, along)
            ask.replied(ask.body.write(given))
