"""``image``: a container image of an environment's service."""

from __future__ import annotations

import msgspec

from modelyard.actions.render import render_image
from modelyard.infra import builder as builder_of
from modelyard.infra import place
from modelyard.project import Project, fresh
from modelyard.storage.scratch import scratch


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
    found = builder_of(builder)
    where = place(project.settings, project.root, user="")
    tag = tag or f"{where.image}:{environment}"
    with scratch("image-", project.scratch) as folder:
        contained = render_image(project, environment, folder / "context", wheels=True)
        project.tell(f"building {tag} by {found.program}")
        identity = found.build(folder / "context", tag, folder / "id")
    built = Built(tag=tag, id=identity, builder=found.program, models=contained.models)
    project.yard.once(
        fresh("image"),
        project.actor,
        lambda facts: facts.events.append(
            "image.built", tag, environment=environment, image=identity, models=", ".join(built.models)
        ),
        type(None),
    )
    return built
