"""``stop``: end an environment's service on this machine; what is released stays on record."""

from __future__ import annotations

from modelyard.project import Project


def stop(project: Project, environment: str) -> bool:
    """Drain and end the service; False when none was running. ``deploy`` starts it again."""
    project.environment(environment)
    with project.lock(f"deploy-{environment}"):
        running = project.target.state(environment) is not None
        project.target.stop(environment)
    return running
