"""``serve``: a service in the foreground."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import msgspec

from modelyard.actions.locate import located, materialised
from modelyard.actions.own import owned
from modelyard.project import Project
from modelyard.records.service import ServedModel, ServicePlan
from modelyard.storage.scratch import Scratch


def serve(project: Project, ref: str, *, port: int, workers: int, grpc_port: int | None = None) -> Path:
    """Ready a service of the package that ``ref`` names, on loopback; ``become`` starts it.

    Returns the service's folder. Its predictions are not logged: nothing was released.
    """
    package = located(project, ref)
    project.tell(f"verifying {ref}")
    folder = materialised(project, package.digest)
    plan = ServicePlan(
        environment="serve",
        generation=1,
        port=port,
        grpc_port=grpc_port,
        workers=workers,
        models=owned(
            project,
            (
                ServedModel(
                    model=package.model,
                    version=0,
                    model_id=f"{package.model}/serve/0",
                    package=package.digest,
                    folder=str(folder.resolve()),
                    trust=project.trust(),
                ),
            ),
        ),
    )
    folder = Scratch("serve-", project.scratch, inherited=True).path
    (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
    return folder


def become(folder: Path) -> NoReturn:
    """Replace this process by the service that ``serve`` readied."""
    command = [sys.executable, "-m", "modelyard.serving"]
    command += ["--plan", str(folder / "plan.json"), "--state", str(folder / "state.json")]
    os.execv(sys.executable, command)
