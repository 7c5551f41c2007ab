"""What a worker does with jobs of which nobody else takes care any more."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from modelyard.jobs.lease import LOSSES
from modelyard.pipelines.until import Until
from modelyard.pipelines.worker import Worker
from modelyard.project import now, open_project
from modelyard.testing import samples


def test_a_job_that_outlived_every_executor_is_given_up_and_told_of(tmp_path: Path) -> None:
    (tmp_path / "modelyard.toml").write_text('[project]\nname = "clinic"\n')
    project = open_project(tmp_path, actor="ann")
    lost = samples.job(
        1, state="running", executor="gone", lost=LOSSES - 1, lease=now() - dt.timedelta(minutes=1)
    )
    other = samples.job(2, state="done", ended=now())
    project.yard.mark("ann", lambda f: [f.jobs.put(one) for one in (lost, other)])
    (project.home / "jobs" / "1").mkdir(parents=True)
    (project.home / "jobs" / "2").mkdir()
    assert Worker(project, most=1).run(Until(), idle=True) == 0
    with project.yard.read() as facts:
        job, alerts = facts.jobs.get(1), facts.alerts.list("open")
    assert job is not None
    assert job.state == "failed"
    assert [(alert.kind, alert.sentence.count("executors were lost")) for alert in alerts] == [("job", 1)]
    assert not (project.home / "jobs" / "2").exists()
