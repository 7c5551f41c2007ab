"""``stop``: take an environment's models out of service on this machine, on record."""

from __future__ import annotations

from modelyard import registry
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.registry import Release


def stop(project: Project, environment: str) -> bool:
    """Record the environment's live releases as stopped, then drain and end its service.

    False when nothing was live and nothing ran. ``deploy`` brings a version back.
    """
    project.environment(environment)
    project.require("deployer", environment)
    with project.lock(f"deploy-{environment}"):

        def withdraw(facts: Facts) -> list[Release]:
            live = [r.model for r in facts.releases.list(environment) if r.status == "live"]
            found = [
                registry.stop(facts, environment=environment, model=model, by=project.actor, now=now())
                for model in live
            ]
            return [release for release in found if release]

        running = project.target.state(environment) is not None  # a server that cannot be asked stops nothing
        stopped = project.yard.once(fresh("stop"), project.actor, withdraw, list[Release])
        project.target.stop(environment)
    return running or bool(stopped)
