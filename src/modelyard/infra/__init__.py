"""What other programs read to run a project's services: images, clusters, balancers, dashboards (floor 4)."""

from __future__ import annotations

from modelyard.infra.context import ROOMS, context, needed
from modelyard.infra.files import KINDS, files
from modelyard.infra.place import Place, place

__all__ = ["KINDS", "ROOMS", "Place", "context", "files", "needed", "place"]
