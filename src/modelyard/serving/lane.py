"""Large requests of one model, part by part beside the turns of small ones, which wait for a part at most."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from time import perf_counter_ns, time
from typing import Any, Protocol

from modelyard.ports import PredictionSink
from modelyard.predictor import Answers
from modelyard.serving import tell
from modelyard.serving.limits import Limits
from modelyard.serving.live import Live, Span, joined
from modelyard.tables.batch import Batch
from modelyard.wire.problem import Problem
from modelyard.wire.reading import Framed, Given, Reading


class Parts(Protocol):
    """Takes an answer while it is made."""

    @property
    def blocked(self) -> bool:
        """Whether it takes no more for now."""
        ...

    def part(self, body: bytes) -> None: ...
    def end(self) -> None: ...


class LargeAsk(Protocol):
    """A request that waits; ``parts`` where it wants its answer in parts."""

    body: bytes | Reading
    client_id: str | None
    size: int

    @property
    def parts(self) -> Parts | None: ...
    @property
    def gone(self) -> bool: ...
    def answered(self, body: bytes) -> None: ...
    def replied(self, framed: Framed) -> None: ...
    def refused(self, problem: Problem) -> None: ...
    def send(self) -> None: ...


@dataclass
class _Work:
    ask: LargeAsk
    live: Live
    key: int
    since: int
    batch: Batch
    marks: int
    at: int = 0
    begun: int = 0
    busy: int = 0
    given: list[Answers] = field(default_factory=list)


_Outcome = tuple[Batch, list[Span], Answers | None]


class Lane:
    """One large request at a time. Its parts are asked in the pool, in turn with what else is asked there."""

    def __init__(
        self,
        *,
        limits: Limits,
        next_id: Callable[[], bytes],
        log: PredictionSink | None,
        pool: Executor,
        loop: Any,
        live: Callable[[], tuple[Live, int]],
    ) -> None:
        """``live`` gives the model that answers now, and its key in the log."""
        self._limits, self._next_id, self._log = limits, next_id, log
        self._pool, self._loop, self._live = pool, loop, live
        self._waiting: deque[tuple[LargeAsk, int]] = deque()
        self._work: _Work | None = None

    def put(self, ask: LargeAsk) -> None:
        """Take a request; ``Problem`` 429 when too many wait already."""
        if len(self._waiting) >= self._limits.large_pending:
            self._live()[0].tally.refused(429)
            raise Problem(
                429,
                f"{len(self._waiting)} large requests wait for {self._live()[0].served.model} already: "
                "try again in some seconds.",
                headers=b"retry-after: 5\r\n",
            )
        self._waiting.append((ask, perf_counter_ns()))
        self._loop.call_soon(self._begin)

    def stuck(self, now: int) -> bool:
        """Whether a part takes longer than a model may."""
        work = self._work
        return bool(work and work.begun and now - work.begun > patience(work.live, self._limits) * 1e9)

    def refuse_all(self, problem: Problem) -> None:
        asks = [ask for ask, _ in self._waiting]
        self._waiting.clear()
        if self._work is not None:
            asks.insert(0, self._work.ask)
            self._work = None
        self._live()[0].tally.refused(problem.status, len(asks))
        for ask in asks:
            self._say(ask, problem)

    def _begin(self) -> None:
        if self._work is not None or not self._waiting:
            return
        ask, since = self._waiting.popleft()
        if ask.gone:
            self._loop.call_soon(self._begin)
            return
        live, key = self._live()
        try:
            batch, [span], marks = live.read([ask.body], rows=self._limits.rows, size=self._limits.body)
        except Exception as error:
            span = Problem(500, f"{live.served.model_id} failed: {type(error).__name__}: {error}")
        if isinstance(span, Problem):
            self._refuse(ask, live, span)
            self._loop.call_soon(self._begin)
            return
        self._work = _Work(ask, live, key, since, batch, marks)
        self._next()

    def _next(self) -> None:
        """Ask the next part; a client that reads slowly is waited for."""
        work = self._work
        if work is None:
            return
        if work.ask.gone:
            self._done()
        elif work.ask.parts is not None and work.ask.parts.blocked:
            self._loop.call_later(0.02, self._next)
        else:
            stop = min(work.at + self._limits.part, len(work.batch))
            part = work.batch.take(slice(work.at, stop))
            work.begun = perf_counter_ns()
            future = self._pool.submit(work.live.predict, part, [slice(0, len(part))])
            future.add_done_callback(lambda done: self._loop.call_soon_threadsafe(self._arrived, work, done))

    def _arrived(self, work: _Work, done: Future[_Outcome]) -> None:
        if self._work is not work:  # given up
            return
        work.busy += perf_counter_ns() - work.begun
        work.begun = 0
        try:
            batch, [span], answers = done.result()
            if isinstance(span, Problem):
                raise span
            assert answers is not None
            work.at += len(batch)
            parts = work.ask.parts
            if parts is not None:
                parts.part(self._answer(work, batch, answers))
            else:
                work.given.append(answers)
            if work.at < len(work.batch):
                self._loop.call_soon(self._next)
                return
            if parts is not None:
                parts.end()
            else:
                self._whole(work)
        except Problem as problem:
            self._refuse(work.ask, work.live, problem)
        except Exception as error:
            said = f"{work.live.served.model_id} failed: {type(error).__name__}: {error}"
            self._refuse(work.ask, work.live, Problem(500, said))
        self._done()

    def _whole(self, work: _Work) -> None:
        answers = joined(work.given) if len(work.given) > 1 else work.given[0]
        body = work.ask.body
        if isinstance(body, bytes):
            work.ask.answered(self._answer(work, work.batch, answers))
        else:
            request_id = self._logged(work, work.batch, answers)
            prediction, beside = _plain(answers)
            given = Given(work.live.told, request_id.decode(), prediction, beside)
            work.ask.replied(body.write(given))
        work.ask.send()

    def _answer(self, work: _Work, batch: Batch, answers: Answers) -> bytes:
        """Log, then write: what is not logged is not given."""
        request_id = self._logged(work, batch, answers)
        return work.live.replies.write(request_id, *_plain(answers))

    def _logged(self, work: _Work, batch: Batch, answers: Answers) -> bytes:
        request_id = self._next_id()
        took = perf_counter_ns() - work.since
        if self._log is not None:
            try:
                self._log.write(
                    work.key,
                    batch,
                    answers,
                    ids=[request_id],
                    at=time(),
                    latency=took / 1e9,
                    counts=[len(batch)],
                    client_ids=[work.ask.client_id] if work.ask.client_id else None,
                )
                self._log.flush()
            except Exception as error:
                tell.say(f"{work.live.served.model_id}: {error}", "error")
                raise Problem(
                    503, "The prediction could not be logged, so it is not given: try later."
                ) from None
        last = work.at == len(work.batch)
        work.live.tally.add(
            answered=int(last),
            rows=len(batch),
            marks=work.marks if last else 0,
            nanoseconds=took,
            busy=work.busy,
            waiting=len(self._waiting) + 1,
        )
        work.busy = 0
        return request_id

    def _refuse(self, ask: LargeAsk, live: Live, problem: Problem) -> None:
        live.tally.refused(problem.status)
        self._say(ask, problem)

    @staticmethod
    def _say(ask: LargeAsk, problem: Problem) -> None:
        ask.refused(problem)
        ask.send()

    def _done(self) -> None:
        self._work = None
        self._loop.call_soon(self._begin)


def patience(live: Live, limits: Limits) -> float:
    """Seconds that a model may take for one turn or part; then its worker gives way to another."""
    return live.patience if live.patience is not None else limits.answer_seconds


def _plain(answers: Answers) -> tuple[list[Any], list[list[float]] | None]:
    numbers = answers.probability if answers.quantiles is None else answers.quantiles
    return answers.prediction.tolist(), None if numbers is None else numbers.tolist()
