"""The notifier of ``up``: sends what channels are to be told. A process of its own: a channel that hangs holds up nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

from modelyard.actions.alerts import deliver, escalate
from modelyard.errors import ModelyardError
from modelyard.pipelines.until import Until
from modelyard.project import Project
from modelyard.records.alert import Notice

_TICK, _ESCALATE = 2.0, 30.0


class Notifier:
    def __init__(self, project: Project, *, report: Callable[[str], None] = lambda _: None) -> None:
        self._project, self._report = project, report
        self._escalate = 0.0
        self._problem = ""

    def run(self, until: Until) -> None:
        while not until.ended:
            try:
                self.step()
                self._problem = ""
            except (ModelyardError, OSError) as error:
                if str(error) != self._problem:
                    self._report(f"alerts: {error}")
                self._problem = str(error)
            until.wait(_TICK)

    def step(self) -> list[Notice]:
        """One look; what was sent, or tried."""
        with self._project.yard.read() as facts:
            alerts = bool(facts.alerts.list("open", limit=1) or facts.notices.list(limit=1))
        if not alerts:
            return []
        now = self._project.afresh()
        if time.monotonic() >= self._escalate:
            self._escalate = time.monotonic() + _ESCALATE
            escalate(now)
        sent = deliver(now)
        for notice in sent:
            if notice.problem:
                self._report(f"alerts: {notice.problem}{'; given up' if notice.given_up else ''}")
        return sent
