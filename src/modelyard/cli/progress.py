"""A build as it goes on: a table that is drawn again on a terminal, elsewhere a line as each step ends."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from modelyard.cli.output import say, tell
from modelyard.pipelines.build import Step
from modelyard.render.text import harmless

if TYPE_CHECKING:
    from rich.live import Live


class Progress(Protocol):
    def __enter__(self) -> object: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def report(self, step: Step) -> None:
        """A step's state, or what it is at, is another."""
        ...

    def tell(self, sentence: str) -> None:
        """What the step that runs in this process is at."""
        ...

    def tick(self) -> None:
        """Time has passed."""
        ...


class Silence:
    """Nothing, where the facts are printed as JSON."""

    def __enter__(self) -> Silence:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def report(self, step: Step) -> None: ...

    def tell(self, sentence: str) -> None: ...

    def tick(self) -> None: ...


class Lines(Silence):
    """One line as each step ends."""

    def report(self, step: Step) -> None:
        if step.state != "running":
            note = "" if step.state == "failed" else step.note
            say(f"{step.name:<28} {step.result:<16} {_took(step):>9}  {note}".rstrip())

    def tell(self, sentence: str) -> None:
        tell(sentence)


class Table(Silence):
    """Every step with its state and seconds; rich is loaded when the first of them runs."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}
        self._began: dict[str, float] = {}
        self._running = ""
        self._live: Live | None = None

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.update(self._drawn(), refresh=True)
            self._live.stop()
            return
        lines = Lines()
        for step in self._steps.values():
            lines.report(step)

    def report(self, step: Step) -> None:
        self._steps[step.name] = step
        if step.state == "running":
            self._running = step.name
            self._began.setdefault(step.name, time.monotonic())
            if self._live is None:
                from rich.live import Live

                # Drawn by ``tick``: a thread that draws would be in the way of starting processes.
                self._live = Live(self._drawn(), auto_refresh=False)
                self._live.start()
        self.tick()

    def tell(self, sentence: str) -> None:
        if (step := self._steps.get(self._running)) is not None:
            import msgspec

            self.report(msgspec.structs.replace(step, note=sentence))

    def tick(self) -> None:
        if self._live is not None:
            self._live.update(self._drawn(), refresh=True)

    def _drawn(self) -> Any:
        from rich.table import Table as Drawn
        from rich.text import Text

        drawn = Drawn(box=None, pad_edge=False)
        for title in ("step", "result", "", ""):
            drawn.add_column(title, justify="right" if title == "" and len(drawn.columns) == 2 else "left")
        for step in self._steps.values():
            row = (step.name, step.result, self._state(step), "" if step.state == "failed" else step.note)
            drawn.add_row(*(Text(harmless(cell)) for cell in row))
        return drawn

    def _state(self, step: Step) -> str:
        if step.state != "running":
            return _took(step)
        return f"{time.monotonic() - self._began[step.name]:.0f} s ..."


def _took(step: Step) -> str:
    return f"{step.seconds:.1f} s" if step.state == "done" else step.state
