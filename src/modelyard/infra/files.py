"""The files of one program, by their paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelyard.infra.place import Place, Release, Stage
from modelyard.render.generated import templates
from modelyard.settings import PodSettings

_FOLDER = Path(__file__).parent / "templates"
_SUFFIX = ".jinja"
KINDS = (
    "compose",
    "kubernetes",
    "helm",
    "kserve",
    "gitops",
    "nginx",
    "haproxy",
    "traefik",
    "systemd",
    "prometheus",
    "grafana",
    "terraform",
    "cloudformation",
)


def files(kind: str, place: Place, *, release: Release | None = None) -> dict[str, bytes]:
    """What ``render KIND`` writes, or what a target applies for a ``release``. A file whose path has ``ENVIRONMENT``
    is written for each."""
    folder = _FOLDER / kind
    environment = templates(folder, _FOLDER)
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob(f"*{_SUFFIX}")):
        inside = path.relative_to(folder).as_posix()
        render: Callable[..., str] = environment.get_template(inside).render
        name = inside.removesuffix(_SUFFIX)
        stages: tuple[Stage | None, ...] = place.environments if "ENVIRONMENT" in name else (None,)
        for stage in stages:
            facts: dict[str, Any] = {"at": place, "stage": stage, "release": release}
            written = name.replace("ENVIRONMENT", stage.name) if stage else name
            found[written] = render(facts).encode()
    return found


def manifests(
    place: Place, environment: str, given: PodSettings, *, committed: bool = False
) -> Callable[..., dict[str, bytes]]:
    """Of an environment's releases in a cluster, as its target asks for them."""
    stage = place.stage(environment)
    fewest, most = place.replicas
    usual = (fewest if stage == place.environments[-1] else 1, most)

    def written(
        *, image: str, plan: str, keys: Sequence[str], notes: Mapping[str, str], candidate: str
    ) -> dict[str, bytes]:
        release = Release(
            image=image,
            plan=plan,
            keys=tuple(keys),
            notes=notes,
            replicas=given.replicas or usual,
            committed=committed,
            candidate=candidate,
            pull=given.pull_secret,
        )
        return applied(place, stage, release)

    return written


def applied(place: Place, stage: Stage, release: Release) -> dict[str, bytes]:
    """A kustomization in the folder ``release`` or ``candidate``, and what it refers to beside it.

    The service is as ``render kubernetes`` has it, with the release's plan and image; a candidate is one pod like its.
    """
    base = {
        path: text
        for path, text in files("kubernetes", place, release=release).items()
        if path[:5] == "base/"
    }
    render = templates(_FOLDER / "kubernetes", _FOLDER).get_template
    facts: dict[str, Any] = {"at": place, "stage": stage, "release": release}

    def written(name: str) -> bytes:
        text: str = render(f"target/{name}.yaml").render(facts)
        return text.encode()

    if not release.candidate:
        return base | {"release/kustomization.yaml": written("release")}
    shared = {f"shared/{name}": base[f"base/{name}"] for name in ("serviceaccount.yaml", "configmap.yaml")}
    candidate = {
        "candidate/kustomization.yaml": written("candidate"),
        "candidate/pod.yaml": written("pod"),
        "shared/kustomization.yaml": written("shared"),
    }
    return shared | candidate
