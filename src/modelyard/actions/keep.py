"""Keep an environment's service running: what is live answers, whatever ended its processes."""

from __future__ import annotations

import dataclasses

from modelyard.actions.switch import TIMEOUT, planned
from modelyard.project import Project


def keep(project: Project, environment: str) -> bool:
    """Start the environment's service on this machine again when releases are live there and nothing runs.

    The releases are as live as they were: nothing is put on record. Whether it was started. A server keeps its own.
    """
    if project.environment(environment).target != "local" or project.target.state(environment) is not None:
        return False
    with project.lock(f"deploy-{environment}"):
        with project.yard.read() as facts:
            live = [r for r in facts.releases.list(environment) if r.status == "live"]
        if not live or project.target.state(environment) is not None:
            return False
        project.tell(f"starting the service of {environment}")
        own = dataclasses.replace(project)  # whoever keeps services for days must not keep 'gc' waiting
        try:
            own.target.apply(planned(own, live[0]), timeout=TIMEOUT)
        finally:
            own.close()
    return True
