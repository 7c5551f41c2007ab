"""A study at work: trials on warm processes, side by side when asked, each on record as it ends."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from modelyard.errors import AuthorError
from modelyard.records.run import Scalar, Trial, best
from modelyard.training.book import Book
from modelyard.training.dealing import Dealt
from modelyard.training.engine import Trains, enduring
from modelyard.training.proposals import Proposals

Heard = Callable[[Trial, Trial | None, int, int], None]
"""A trial that ended, the best so far, how many ended and how many there are to be."""


@dataclass(frozen=True)
class Plan:
    metric: str
    higher: bool
    dealt: Dealt
    jobs: int = 1
    pruned: bool = False
    patience: int | None = None
    """Trials without a better one, after which no other begins."""
    seconds: float | None = None
    """After which no trial begins."""


class Search:
    """Trials that ``book`` holds are not done again. ``hire`` gives a worker that has begun, for a seat from 0."""

    def __init__(
        self, plan: Plan, proposals: Proposals, book: Book, *, hire: Callable[[int], Trains], heard: Heard
    ) -> None:
        self._plan, self._proposals, self._book = plan, proposals, book
        self._hire, self._heard = hire, heard
        for trial in book.trials:
            proposals.replay(trial)
        done = {trial.number for trial in book.trials}
        self._open = deque(number for number in range(proposals.trials) if number not in done)
        self._best = best(book.trials, higher=plan.higher)
        self._since = _since(book.trials, higher=plan.higher)
        self._turn = threading.Lock()
        self._workers: dict[int, Trains] = {}
        self._error: BaseException | None = None
        self._stopped = False

    def run(self) -> None:
        """Until there is no other trial to do. Ctrl-C ends those at work; they are on record nowhere.

        An error that is no trial's own ends the search and is raised.
        """
        self._due = None if self._plan.seconds is None else time.monotonic() + self._plan.seconds
        seats = min(self._plan.jobs, len(self._open))
        try:
            if seats <= 1:
                self._sit(0)
            else:
                self._side_by_side(seats)
        finally:
            for worker in self._workers.values():
                worker.close()
        if self._error is not None:
            raise self._error

    def _side_by_side(self, seats: int) -> None:
        threads = [threading.Thread(target=self._seated, args=(seat,)) for seat in range(seats)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)
        except KeyboardInterrupt:
            self._stop()
            for thread in threads:
                thread.join()
            raise

    def _stop(self) -> None:
        with self._turn:
            self._stopped = True
            for worker in self._workers.values():
                worker.halt()

    def _seated(self, seat: int) -> None:
        """A thread's whole life."""
        try:
            self._sit(seat)
        except BaseException as error:
            if self._error is None and not self._stopped:
                self._error = error
            self._stop()

    def _sit(self, seat: int) -> None:
        while (asked := self._next()) is not None:
            number, params = asked
            enduring(lambda n=number, p=params: self._try(self._worker(seat), n, p), f"Trial {number}")  # type: ignore[misc]
        with self._turn:
            worker = self._workers.get(seat)
        if worker is not None:
            worker.close()  # another seat may wait for its place

    def _worker(self, seat: int) -> Trains:
        """The seat's own, or after one that died another."""
        worker = self._workers.get(seat)
        if worker is None or not worker.alive:
            if worker is not None:
                worker.close()
            worker = self._hire(seat)
            with self._turn:
                self._workers[seat] = worker
                if self._stopped:
                    worker.halt()
        return worker

    def _next(self) -> tuple[int, dict[str, Scalar]] | None:
        with self._turn:
            patience = self._plan.patience
            late = self._due is not None and time.monotonic() >= self._due
            tired = patience is not None and self._since >= patience
            if self._stopped or late or tired or not self._open:
                return None
            number = self._open.popleft()
            return number, self._proposals.ask(number)

    def _try(self, worker: Trains, number: int, params: dict[str, Scalar]) -> None:
        began, values = time.perf_counter(), list[float]()
        plan, error, pruned = self._plan, None, False
        worker.renew()
        try:
            for step, fold in enumerate(plan.dealt.scored):
                scored = worker.score(params, fold=fold, metric=plan.metric, forward=plan.dealt.forward)
                if scored.value is None:
                    raise AuthorError(f"The answers to fold {fold} leave {plan.metric} undefined.")
                values.append(scored.value)
                if plan.pruned:
                    with self._turn:
                        pruned = self._proposals.prunes(number, step, math.fsum(values) / len(values))
                if pruned and step + 1 < len(plan.dealt.scored):
                    break
                pruned = False
        except AuthorError as failure:
            error = str(failure)
        self._finish(
            Trial(
                number=number,
                state="failed" if error else "pruned" if pruned else "complete",
                value=math.fsum(values) / len(values) if values and not error else None,
                folds=tuple(values),
                params=params,
                seconds=time.perf_counter() - began,
                error=error,
            )
        )

    def _finish(self, trial: Trial) -> None:
        with self._turn:
            self._book.add(trial)
            self._proposals.tell(trial)
            found = best(
                self._book.trials[-1:] + ([self._best] if self._best else []), higher=self._plan.higher
            )
            self._since = 0 if found is trial else self._since + 1
            self._best = found
            self._heard(trial, found, len(self._book.trials), self._proposals.trials)


def _since(trials: list[Trial], *, higher: bool) -> int:
    """How many ended after the best so far did."""
    since, found = 0, None
    for trial in trials:
        better = best([trial, found] if found else [trial], higher=higher)
        since = 0 if better is trial else since + 1
        found = better
    return since
