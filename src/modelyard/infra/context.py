"""What an image of an environment's service is built from: no training library, no secret, the same bytes each time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

import modelyard
from modelyard.errors import Misuse, SourceDown
from modelyard.infra.place import Place
from modelyard.records.package import Manifest
from modelyard.records.service import ServedModel, ServicePlan
from modelyard.render.generated import templates

_FOLDER = Path(__file__).parent
ROOMS = (
    "__init__.py",
    "__init__.pyi",
    "authoring.py",
    "errors.py",
    "ports",
    "py.typed",
    "records",
    "predictions",
    "predictor",
    "serving",
    "signing",
    "tables",
    "authors",
    "wire",
)
"""Of Modelyard, that a service needs."""


def context(
    folder: Path,
    place: Place,
    *,
    environment: str,
    models: Sequence[tuple[ServedModel, Manifest]],
    labels: Mapping[str, str],
    wheels: bool = False,
) -> None:
    """Write the build context into ``folder``, which is empty; with ``wheels`` the libraries are in it too.

    ``models`` are what the service answers for; their folders, with the signatures beside them, are copied. Raises
    ``Misuse`` for native models whose locked libraries contradict each other, ``SourceDown`` when libraries cannot be had.
    """
    served = []
    packages = folder / "service" / "packages"
    packages.mkdir(parents=True)
    for model, _ in models:
        source = Path(model.folder)
        _copy(source, packages / source.name)
        for beside in source.parent.glob(f"{source.name}.*.sig"):
            _copy(beside, packages / beside.name)
        served.append(msgspec.structs.replace(model, folder=f"packages/{source.name}"))
    plan = ServicePlan(environment=environment, generation=1, port=place.port, models=tuple(served))
    (folder / "service" / "plan.json").write_bytes(msgspec.json.format(msgspec.json.encode(plan)))
    library = Path(modelyard.__file__).parent
    for room in ROOMS:
        _copy(library / room, folder / "library" / "modelyard" / room)
    (folder / "requirements.txt").write_text(_requirements([manifest for _, manifest in models]))
    if wheels:
        _download(folder)
    facts = {
        "at": place,
        "environment": environment,
        "labels": dict(sorted(labels.items())),
        "wheels": wheels,
    }
    environment_of = templates(_FOLDER / "templates" / "docker")
    for name in ("Dockerfile", "dockerignore"):
        text = environment_of.get_template(f"{name}.jinja").render(facts)
        (folder / (name if name == "Dockerfile" else f".{name}")).write_text(text)


def _download(folder: Path) -> None:
    """The libraries' wheels for this machine's Python: so that a build needs no index, and knows no index's password."""
    words = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            *words,
            "-d",
            str(folder / "wheels"),
            "-r",
            str(folder / "requirements.txt"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise SourceDown(
            f"The libraries of a service cannot be fetched by pip: {(said or ['it said nothing'])[-1][:300]}; give it a "
            "package index, or take the folder of 'modelyard render docker' to where one is."
        )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(source, target)


def needed(models: Sequence[ServedModel]) -> str:
    """What a service of these models needs, locked; their packages are on this machine. Raises ``Misuse``."""
    content = ((Path(model.folder) / "manifest.json").read_bytes() for model in models)
    return _requirements([msgspec.json.decode(one, type=Manifest) for one in content])


def _requirements(manifests: Sequence[Manifest]) -> str:
    """What a service needs, locked with hashes; with native models the versions of theirs too, then without."""
    lock = (_FOLDER / "serving.txt").read_text()
    native: dict[str, tuple[str, str]] = {}
    for manifest in manifests:
        if manifest.form == "onnx":
            continue
        form = (
            (f"skops=={version('skops')}",) if any(f.path.endswith(".skops") for f in manifest.files) else ()
        )
        for requirement in (*manifest.requirements, *form):
            name = requirement.partition("==")[0].lower()
            held = native.setdefault(name, (requirement, manifest.model))
            if held[0] != requirement:
                raise Misuse(
                    f"{held[1]} needs {held[0]} and {manifest.model} {requirement}; they cannot be in one service, so give "
                    "one of them an environment of its own."
                )
    if not native:
        return lock
    # pip wants hashes of all or of none, and those of a model's own libraries are not known here
    own = [line.rstrip(" \\") for line in lock.splitlines() if line and line[0] not in " #"]
    own = [line for line in own if line.partition("==")[0].lower() not in native]
    return "".join(f"{line}\n" for line in sorted([*own, *(given for given, _ in native.values())]))
