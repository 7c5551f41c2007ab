"""Code: what the model is made of is committed otherwise than it was trained."""

from __future__ import annotations

from modelyard.project import Project
from modelyard.records.run import Code
from modelyard.records.trigger import Fired


def code(project: Project, model: str, now: Code) -> Fired | None:
    """Changes that nobody committed start nothing; without git, any change does."""
    with project.yard.read() as facts:
        run = facts.runs.latest(model)
    if now.dirty or (run is not None and run.code.digest == now.digest):
        return None
    what = f"commit {now.commit[:12]}" if now.commit else f"code {now.digest[:12]}"
    before = f"code {run.code.digest[:12]}" if run else "nothing"
    return Fired(
        kind="code",
        evidence=now.digest[:16],
        sentence=f"{model} is {what}, and {before} was trained",
        numbers={
            "commit": now.commit or "",
            "code": now.digest[:16],
            "trained": run.code.digest[:16] if run else "",
        },
    )
