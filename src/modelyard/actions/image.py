"""``image``: a container image of an environment's service."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec

from modelyard.actions.render import render_image
from modelyard.errors import ExtraMissing, ImageFailed, Misuse
from modelyard.infra import place
from modelyard.project import Project, fresh
from modelyard.storage.scratch import scratch

BUILDERS = ("docker", "podman", "buildah")


class Built(msgspec.Struct, frozen=True, kw_only=True):
    tag: str
    id: str
    builder: str
    models: tuple[str, ...]


def image(project: Project, environment: str, *, tag: str = "", builder: str = "") -> Built:
    """Build it by docker, podman or buildah, whichever is there first.

    The same versions on the same base image give the same layers, whenever they are built. That it was built is on
    record. Raises as ``render_image``,
    ``ExtraMissing`` without a builder, and ``ImageFailed`` with the builder's last words.
    """
    project.environment(environment)
    project.require("deployer", environment)
    program = _builder(builder)
    where = place(project.settings, project.root, user="")
    tag = tag or f"{where.image}:{environment}"
    with scratch("image-", project.scratch) as folder:
        contained = render_image(project, environment, folder / "context", wheels=True)
        project.tell(f"building {tag} by {program}")
        identity = _build(program, folder / "context", tag, folder / "id")
    built = Built(tag=tag, id=identity, builder=program, models=contained.models)
    project.yard.once(
        fresh("image"),
        project.actor,
        lambda facts: facts.events.append(
            "image.built", tag, environment=environment, image=identity, models=", ".join(built.models)
        ),
        type(None),
    )
    return built


def _builder(wanted: str) -> str:
    if wanted and wanted not in BUILDERS:
        raise Misuse(f"There is no builder '{wanted}'; known: {', '.join(BUILDERS)}.")
    for program in (wanted,) if wanted else BUILDERS:
        if shutil.which(program) and _works(program):
            return program
    raise ExtraMissing(
        f"{f'{wanted} does not run' if wanted else 'None of docker, podman and buildah runs'} here; install one (Debian: "
        "apt-get install buildah), or take the folder of 'modelyard render docker' to where one is."
    )


def _works(program: str) -> bool:
    """Docker's command may be there without its engine."""
    words = [program, "version" if program == "buildah" else "info"]
    return subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0


def _build(program: str, context: Path, tag: str, identity: Path) -> str:
    command = [program, "build", "--iidfile", str(identity), "--tag", tag, str(context)]
    if program != "docker":
        command[2:2] = ["--timestamp", "0", "--format", "docker"]
    done = subprocess.run(
        command,
        env={**os.environ, "SOURCE_DATE_EPOCH": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        words = [line for line in done.stdout.splitlines() if line.strip()]
        raise ImageFailed(
            f"{program} cannot build {tag}: {' / '.join(words[-3:])[-600:] or 'it said nothing'}."
        )
    return identity.read_text().strip()
