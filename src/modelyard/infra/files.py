"""The files of one program, by their paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelyard.infra.place import Place, Stage
from modelyard.render.generated import templates

_FOLDER = Path(__file__).parent / "templates"
_SUFFIX = ".jinja"
KINDS = (
    "compose",
    "kubernetes",
    "nginx",
    "haproxy",
    "traefik",
    "systemd",
    "prometheus",
    "grafana",
    "terraform",
    "cloudformation",
)


def files(kind: str, place: Place) -> dict[str, bytes]:
    """What ``render KIND`` writes. A file whose path has ``ENVIRONMENT`` is written for each."""
    folder = _FOLDER / kind
    environment = templates(folder, _FOLDER)
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob(f"*{_SUFFIX}")):
        inside = path.relative_to(folder).as_posix()
        render: Callable[..., str] = environment.get_template(inside).render
        name = inside.removesuffix(_SUFFIX)
        stages: tuple[Stage | None, ...] = place.environments if "ENVIRONMENT" in name else (None,)
        for stage in stages:
            facts: dict[str, Any] = {"at": place, "stage": stage}
            written = name.replace("ENVIRONMENT", stage.name) if stage else name
            found[written] = render(facts).encode()
    return found
