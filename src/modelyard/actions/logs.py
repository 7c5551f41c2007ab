"""``logs``: what the processes of an environment's service printed last."""

from __future__ import annotations

from modelyard.project import Project


def logs(project: Project, environment: str, *, lines: int = 100) -> str:
    """Empty when nothing ever ran there. Raises ``ServiceDown`` for a server that cannot be asked."""
    project.environment(environment)
    return project.target.logs(environment, lines=lines)
