"""What other programs read to run a project's services: images, clusters, balancers, dashboards (floor 4)."""

from __future__ import annotations

from modelyard.infra.context import ROOMS, context, needed
from modelyard.infra.files import KINDS, files, manifests
from modelyard.infra.images import BUILDERS, Builder, Images, builder
from modelyard.infra.place import Place, place

__all__ = [
    "BUILDERS",
    "KINDS",
    "ROOMS",
    "Builder",
    "Images",
    "Place",
    "builder",
    "context",
    "files",
    "manifests",
    "needed",
    "place",
]
